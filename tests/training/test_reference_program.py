"""What the program of Thomas & Kovashka does otherwise: random texts, passes apart, and decay of all weights."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from kith.losses import Batch, Needs
from kith.training.loop import batches_of, fit
from kith.training.objective import Objective
from kith.training.optimization import optimizer_of
from kith.training.options import DrawNeighbors, TrainingConfig
from kith.training.reading import read
from kith.training.task import Task
from stages.params.losses import Losses
from stages.params.presets import presets
from stages.params.semantic import Doc2Vec, Neighbors
from tests.documentation import ROOT
from tests.made import model_and_objective, pair_data

LOSSES = Losses(
    angular_cross={"as_published": True, "negatives": "random"},
    angular_symmetric={"as_published": True},
    angular_image={"weight": 0.3, "as_published": True},
    angular_text={"weight": 0.2, "as_published": True, "negatives": "random"},
).terms()
CONFIG = TrainingConfig(epochs=2, batch_size=16, neighbors=DrawNeighbors(separate=True), decay_all=True)


def fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def unit(seed: int, count: int = 4) -> torch.Tensor:
    rows = torch.randn(count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return rows / rows.norm(dim=1, keepdim=True)


def test_random_texts_are_all_negatives_of_all_counted_as_in_the_program():
    image, text, near, random = (unit(seed) for seed in range(4))
    known = torch.tensor([True, True, True, True])
    batch = Batch(image, text, torch.arange(4), [(image, near)], known, random_texts=random)
    values = Objective(LOSSES)(batch)[1]
    for name, anchor, positive in (("angular_cross", image, text), ("angular_text", text, near)):
        expected = 0.0
        for a, p in zip(anchor, positive, strict=True):
            every = [4 * (a + p) @ n - 4 * a @ p for _ in range(4) for n in random]  # anchors and negatives repeated
            expected += math.log(1 + sum(math.exp(value) for value in every)) / 4
        assert float(values[name]) == pytest.approx(expected), name
    batch.random_texts = None  # as in validation
    expected = Objective({"angular_cross": {"as_published": True}})(batch)[0]
    assert float(Objective(LOSSES)(batch)[1]["angular_cross"]) == pytest.approx(float(expected))


def test_losses_say_that_they_look_at_random_texts():
    assert Needs.of(LOSSES).random_texts
    assert not Needs.of({"angular_cross": {}, "angular_text": {"as_published": True}}).random_texts


def test_random_texts_come_last_and_change_nothing_else():
    data, _ = pair_data()
    batches = batches_of(data, CONFIG).epoch(1)
    given = data, batches, True, CONFIG, fabric(), 1
    for (images, texts, *rest), (more_images, more_texts, *more) in zip(read(*given), read(*given, True), strict=True):
        size = len(rest[0])
        assert len(images) == len(more_images) == 2 * size
        assert (len(texts[1]), len(more_texts[1])) == (2 * size, 3 * size)
        assert torch.equal(texts[1], more_texts[1][: 2 * size])
        assert torch.equal(images, more_images)
        assert all(torch.equal(a, b) for a, b in zip(rest, more, strict=True))


def test_neighbours_by_themselves_do_not_change_what_batch_norm_makes_of_the_batch():
    data, vocabulary = pair_data()
    model, _ = model_and_objective(len(vocabulary))
    images, texts, group, known = next(read(data, batches_of(data, CONFIG).epoch(1), True, CONFIG, fabric(), 1))
    images, size, seen = model.prepare(images), len(group), []

    class Keeping(Objective):
        def forward(self, batch):
            seen.append(batch.image)
            return super().forward(batch)

    for separate in (False, True):
        Task(model, Keeping(LOSSES), separate=separate).train()(images, texts, group, known)
    alone = model.projection.first(model.encode_images(images[:size]))
    assert torch.allclose(seen[1], alone, atol=1e-6)
    assert not torch.allclose(seen[0], alone, atol=1e-3)


def test_the_program_is_trained():
    data, vocabulary = pair_data()
    model, _ = model_and_objective(len(vocabulary))
    history = fit(model, Objective(LOSSES), data, CONFIG, fabric())
    assert np.isfinite([(each["train_loss"], each["val_loss"]) for each in history]).all()


@pytest.mark.parametrize(("decay_all", "decays"), [(None, {1e-5, 0.0}), (True, {1e-5})])
def test_weights_decay_on_all_parameters_or_on_matrices_alone(decay_all, decays):
    model, objective = model_and_objective(9)
    config = dataclasses.replace(CONFIG, weight_decay=1e-5, decay_all=decay_all)
    groups = optimizer_of(Task(model, objective), config).param_groups
    assert {group["weight_decay"] for group in groups if group["params"]} == decays


def test_the_preset_is_what_the_page_says_of_it():
    """docs/methods.md tells which keys follow the program; the preset has them."""
    told = (ROOT / "docs/methods.md").read_text(encoding="utf-8")
    section = told.split("### The authors' program")[1].split("\n## ")[0]
    preset = presets()["neighborhood_reference"]
    assert preset["neighbors"] == {"separate": True}
    for key in ("negatives: random", "neighbors.separate: true", "train.decay_all: true", "train.select: angular"):
        assert f"`{key}`" in section
    assert {name for name, each in preset["losses"].items() if each.get("negatives") == "random"} == {
        "angular_cross",
        "angular_text",
    }
    assert (preset["train"]["decay_all"], preset["train"]["select"]) == (True, "angular")
    for section_of, field in ((Doc2Vec, "as_published"), (Neighbors, "distance")):
        assert field in section_of.model_fields
        assert f"{field}: " in section
