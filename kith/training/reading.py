"""The batches of an epoch as tensors, drawn from (seed, epoch, step) alone, and read ahead of the steps."""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kith.store.ahead import ahead, cores
from kith.store.inputs import ArrayInput, ModalityInput, PhotoInput
from kith.training.crops import DRAWS, Crops
from kith.training.data import TrainingData
from kith.training.lightning import Fabric
from kith.training.options import TrainingConfig
from kith.training.samplers import generator

AHEAD = 2  # batches that are read while one is computed

# Pictures, a tuple of texts, groups, who has a neighbour, and classes if there are any. Of both sides first the batch,
# then its neighbours; of texts at last random ones.
Tensors = tuple[Any, ...]


def with_workers(data: TrainingData, config: TrainingConfig, processes: int) -> TrainingData:
    """The data, whose pictures are read by as many threads as `config` says, each of so many processes its share."""
    image = data.image
    if not isinstance(image, ArrayInput):
        return data
    slow = isinstance(image, PhotoInput) or crops_of(data, config) is not None
    workers = config.workers if config.workers is not None else max(1, cores() // processes) if slow else 0
    return replace(data, image=replace(image, workers=workers))


def crops_of(data: TrainingData, config: TrainingConfig) -> Crops | None:
    """The parts that are cut out while pictures are read. Raises ValueError for options that contradict each other."""
    size = data.image.array.shape[1] if isinstance(data.image, ArrayInput) else 0
    return Crops.of(config.augment, size)


def read(
    data: TrainingData,
    batches: list[np.ndarray],
    neighbors: bool,
    config: TrainingConfig,
    fabric: Fabric,
    epoch: int,
    random_texts: bool = False,
) -> Generator[Tensors, None, None]:
    """This process's share of each batch of items, on the CPU. neighbors: whether items bring theirs along;
    random_texts: whether as many texts of random training items come with it."""
    crops = crops_of(data, config)
    pinned = fabric.device.type == "cuda" and data.image.workers > 0

    def batch(step: int) -> Tensors:
        key = config.seed, epoch, step
        images, *rest = _batch(data, batches[step], neighbors, random_texts, crops, config, fabric, key)
        return (images.pin_memory() if pinned else images), *rest

    return ahead(batch, range(len(batches)), AHEAD if data.image.workers else 0)


def _batch(
    data: TrainingData,
    rows: np.ndarray,
    neighbors: bool,
    random_texts: bool,
    crops: Crops | None,
    config: TrainingConfig,
    fabric: Fabric,
    key: tuple[int, int, int],
) -> Tensors:
    """Every process draws for the whole batch, then takes its rows, so the draws do not depend on their number."""
    random = generator(*key, 2)
    drawn = [rows]
    has_neighbor = np.zeros(len(rows), dtype=bool)
    if neighbors and data.neighbors is not None:
        for _ in range(config.neighbors.count):
            near = data.neighbors.draw(rows, config.neighbors.among, random)
            has_neighbor = near >= 0
            drawn.append(np.where(has_neighbor, near, rows))
    share = slice(fabric.global_rank, len(rows) - len(rows) % fabric.world_size, fabric.world_size)
    chosen = np.concatenate([data.image.one_of(each, random)[share] for each in drawn])
    if crops is None:
        (images,) = data.image.take(chosen)
    else:
        draws = generator(*key, 2, 3).random((len(drawn), len(rows), DRAWS))[:, share]
        images = _parts(data.image, chosen, crops, draws.reshape(-1, DRAWS))
    texts: tuple[Tensor, ...] = ()
    if data.text is not None:
        told = [data.text.one_of(each, random)[share] for each in drawn]
        if random_texts:
            told.append(data.text.one_of(random.choice(data.train, len(rows)), random)[share])
        texts = data.text.take(np.concatenate(told))
    of_items = [data.groups[rows], has_neighbor] + ([] if data.labels is None else [data.labels[rows]])
    return images, texts, *(torch.from_numpy(each[share]) for each in of_items)


def _parts(images: ModalityInput, rows: np.ndarray, crops: Crops, draws: np.ndarray) -> Tensor:
    assert isinstance(images, ArrayInput)
    return images.take_parts(rows, crops.side, crops.parts(draws))
