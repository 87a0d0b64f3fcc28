"""What is measured after each epoch: the objective and retrieval on the validation split, and retrieval on as many
training items, to tell what is learned by heart."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from kith.losses import Batch, angular
from kith.metrics.cross_modal import cross_modal_retrieval
from kith.metrics.hierarchical import hierarchical_retrieval
from kith.metrics.label_sets import shared_retrieval
from kith.metrics.ordering import first_hits
from kith.metrics.relevance import same_group
from kith.models import DualEncoder
from kith.models.embed import embed_texts, encode_images
from kith.training.data import TrainingData
from kith.training.lightning import Fabric
from kith.training.task import Task, check_finite, labelled_rows

Record = dict[str, float]
ANGULAR = "angular"
CLIP = 250  # answers that count in the hierarchical precision


@torch.no_grad()
def validate(
    task: Any, data: TrainingData, seen: np.ndarray, batch_size: int, fabric: Fabric, select: str = "mrr"
) -> Record:
    """Names with val_ are of the whole validation split, those with train_ of the training items `seen`.

    With texts: mrr, R@1, R@10 and median_rank, averaged over both directions, and the distance of the pairs. Without:
    mrr of the first picture of the same class. Where classes are known: accuracy, and ahp, the hierarchical
    precision of the nearest pictures; of pictures with several labels each map, the mean average precision of those
    that share one, and mrr. With select: angular also that term alone, as Thomas & Kovashka's program has it.
    """
    task.eval()
    with fabric.autocast():
        trained, _ = _measure(task, data, seen, batch_size)
        record, batches = _measure(task, data, data.val, batch_size)
    losses = [float(task.objective(batch)[0]) for batch in batches]
    sizes = [len(batch.image) for batch in batches]
    terms = {"val_angular": float(np.average(list(map(_angular, batches)), weights=sizes))} if select == ANGULAR else {}
    shown = ("mrr", "distance", "accuracy")
    return {
        "val_loss": float(np.average(losses, weights=sizes)),
        **terms,
        **{f"val_{name}": value for name, value in record.items()},
        **{f"train_{name}": trained[name] for name in shown if name in trained},
    }


def _angular(batch: Batch) -> float:
    """Pictures are anchors, the other texts of the batch negatives, each once."""
    others = batch.group[:, None] != batch.group[None, :]
    return float(angular(batch.image, batch.text, batch.text, others))


def _measure(task: Task, data: TrainingData, items: np.ndarray, batch_size: int) -> tuple[Record, list[Batch]]:
    """Figures of `items`, and batches of them for the objective: each item with its first text, no neighbours."""
    model = task.model
    features = torch.cat(list(encode_images(model, data.image, data.image.all_of(items)[0], batch_size)))
    image = model.projection.stored().first(features)
    check_finite(image)
    record, text = _pairs(model, data, items, image, batch_size) if data.text is not None else ({}, None)
    labels = None
    if data.labels is not None:
        record = _classes(model, features, image, data.labels[items], data.similarity) | record
        labels = torch.from_numpy(data.labels[items]).to(features.device)
    group = torch.from_numpy(data.groups[items]).to(features.device)
    batches = []
    for start in range(0, len(items), batch_size):
        part = slice(start, start + batch_size)
        classes = None if labels is None else labelled_rows(task, features[part], labels[part])
        sides = image[part], None if text is None else text[part]
        batches.append(Batch(*sides, group[part], [], group[part] < 0, classes=classes))
    return record, batches


def _pairs(
    model: DualEncoder, data: TrainingData, items: np.ndarray, image: Tensor, batch_size: int
) -> tuple[Record, Tensor]:
    """Retrieval between the pictures and all texts of `items`, and the vectors of their first texts."""
    assert data.text is not None
    rows, owner = data.text.all_of(items)
    text, pictures = embed_texts(model, data.text, rows, batch_size), image.cpu().numpy()
    check_finite(torch.from_numpy(text))
    image_group, text_group = data.groups[items], data.groups[owner]
    both = [
        cross_modal_retrieval(text, pictures, same_group(text_group, image_group)),
        cross_modal_retrieval(pictures, text, same_group(image_group, text_group)),
    ]
    names = ("mrr", "R@1", "R@10", "median_rank")
    record = {name: float(np.mean([result[name] for result in both])) for name in names}
    first = text[np.searchsorted(owner, items)]
    record["distance"] = float(np.mean(_distances(pictures, first)))
    return record, torch.from_numpy(first).to(image.device)


def _distances(pictures: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Of unit rows; of several vectors an item those of the nearest."""
    if pictures.ndim == 3:
        return 1 - np.einsum("ikd,ild->ikl", pictures, texts).max(axis=(1, 2))
    return 1 - np.einsum("ij,ij->i", pictures, texts)


def _classes(
    model: DualEncoder, features: Tensor, image: Tensor, label: np.ndarray, similarity: np.ndarray | None
) -> Record:
    """Search of pictures by pictures, and class predictions, for the pictures whose class is known."""
    if label.ndim == 2:
        chosen = label.any(axis=1)
        if chosen.sum() < 2:
            return {"mrr": 0.0, "map": 0.0}
        shared = shared_retrieval(image.cpu().numpy()[chosen], label[chosen])
        return {name: float(np.nan_to_num(shared[name]).mean()) for name in ("mrr", "map")}
    known = label >= 0
    vectors, label = image[torch.from_numpy(known)], label[known]
    first = first_hits(vectors, label).reciprocal
    record = {"mrr": float(np.nanmean(first)) if np.isfinite(first).any() else 0.0}
    if similarity is not None and len(label) > 2:
        clip = min(CLIP, len(label) - 1)
        found = hierarchical_retrieval(vectors, label, similarity, ks=(1,), clip=clip, full=False)
        record["ahp"] = float(found[f"AHP@{clip}"].mean())
    for scores in model.class_scores(features).values():
        record.setdefault("accuracy", float(np.mean(scores.argmax(dim=1).cpu().numpy()[known] == label)))
    return record
