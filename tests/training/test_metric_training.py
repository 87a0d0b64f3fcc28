"""Mined methods in the training loop: resumed, in balanced batches, in two processes."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from kith.models import DualEncoder
from kith.training.loop import batches_of, fit
from kith.training.objective import Objective
from kith.training.options import Augment, TrainingConfig
from stages.params.losses import Losses
from tests.made import model_and_objective, pair_data
from tests.made_processes import as_two, joined
from tests.training.test_training import one_thread, same  # noqa: F401

CONFIG = TrainingConfig(
    epochs=3, batch_size=24, lr=3e-3, sampler="balanced", items_per_class=4, augment=Augment(shift=0.05)
)
TERMS = {
    "triplet": {"mining": "random", "bank": 60, "margin": 0.5},
    "contrastive": {"mining": "random"},
    "npairs": {"angle": 45.0},
    "dtsh": {"schedule": "quantization_weight", "quantization": 0.1},
    "metric_learning": {"name": "ProxyAnchor"},
    "hashnet": {"growth": 8.0},
    "greedy_hash": {},
    "csq": {},
}


def terms(*names: str, **changes) -> dict:
    return Losses(**{name: TERMS[name] | changes for name in names}).terms()


def train(losses: dict, config: TrainingConfig = CONFIG, fabric: Fabric | None = None, **options):
    """Pictures of six shapes, learned as classes."""
    data, _ = pair_data()
    labels = np.arange(len(data.groups)) % 6
    data = dataclasses.replace(data, text=None, neighbors=None, labels=labels)
    torch.manual_seed(0)
    image = {"tower": "cnn", "depth": 10, "width": 8, "channels": 3, "size": 16, "fit": "pad"}
    image |= {"mean": [0.3] * 3, "std": [0.3] * 3}
    model = DualEncoder({"dim": 16, "image": image, "text": None, "projection": {"kind": "unit"}})
    for parent in model.modules():  # each process has batch statistics of its own
        for name, child in parent.named_children():
            if isinstance(child, torch.nn.BatchNorm2d) and fabric is not None:
                setattr(parent, name, torch.nn.Identity())
    objective = Objective(losses, 16, 6)
    fabric = fabric or Fabric(accelerator="cpu", devices=1)
    return model, objective, fit(model, objective, data, config, fabric, **options)


@pytest.mark.parametrize(
    "names",
    [("triplet", "contrastive", "npairs"), ("dtsh", "metric_learning", "hashnet", "greedy_hash", "csq")],
    ids="-".join,
)
def test_resuming_after_any_epoch_gives_what_an_unbroken_run_gives(names):
    states = []
    model, objective, history = train(terms(*names), on_checkpoint=lambda state: states.append(copy.deepcopy(state)))
    for state in states[:-1]:
        again, objective_again, history_again = train(terms(*names), resume=state)
        assert same(model, again)
        assert same(objective, objective_again)
        assert history_again == history
    if "triplet" in names:
        assert int(objective.losses["triplet"].bank.added) > 60
    assert {"train_active", "train_mined"} <= set(history[0])


def test_a_mined_method_learns_what_goes_together():
    config = dataclasses.replace(CONFIG, epochs=10)
    _, _, history = train(terms("triplet", mining="semi_hard", bank=0), config)
    assert max(record["val_mrr"] for record in history) > 0.7  # an order at random: about .35
    assert history[-1]["train_active"] < history[0]["train_active"]


def test_validation_neither_fills_nor_asks_the_bank():
    _, objective, _ = train(terms("triplet", bank=10_000))
    data, _ = pair_data()
    labels = np.arange(len(data.groups)) % 6
    data = dataclasses.replace(data, labels=labels)
    seen = sum(len(rows) for epoch in (1, 2, 3) for rows in batches_of(data, CONFIG).epoch(epoch))
    assert int(objective.losses["triplet"].bank.added) == seen


def test_the_scheduled_value_is_the_epochs():
    rows = torch.randn(12, 16, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(12) % 3
    objective = Objective(terms("dtsh", schedule="margin", margin=16.0, quantization=0.0))
    values = {}
    for epoch in (1, 5):
        objective.step.epoch, objective.step.epochs = epoch, 5
        values[epoch] = objective.losses["dtsh"].of_rows(rows, labels, objective.step)[0].item()
    for epoch, margin in ((1, 1.0), (5, 16.0)):
        fixed = Objective(terms("dtsh", schedule="none", margin=margin, quantization=0.0))
        assert fixed.losses["dtsh"].of_rows(rows, labels, fixed.step)[0].item() == pytest.approx(
            values[epoch], rel=1e-6
        )


PLAIN = dataclasses.replace(CONFIG, epochs=2, lr=1e-3, optimizer="sgd", augment=Augment())
HARD = {"mining": "batch_hard", "bank": 0}


def _two_processes(rank: int, port: int, folder: str) -> None:
    fabric = joined(rank, port)
    model, _, history = train(terms("triplet", **HARD), PLAIN, fabric)
    torch.save({"state": model.state_dict(), "history": history}, f"{folder}/{rank}.pt")


def test_two_processes_mine_as_one(tmp_path):
    as_two(_two_processes, str(tmp_path))
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    model, _, history = train(terms("triplet", **HARD), PLAIN, Fabric(accelerator="cpu", devices=1))
    for record, theirs in zip(history, first["history"], strict=True):
        assert record["train_triplet"] == pytest.approx(theirs["train_triplet"], rel=1e-4)
        assert record["train_mined"] == theirs["train_mined"]
    for name, value in model.state_dict().items():
        torch.testing.assert_close(first["state"][name], second["state"][name], rtol=0, atol=0)
        torch.testing.assert_close(first["state"][name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "sampler", "options"),
    [
        ("contrastive", "pairs", {"normalize": False}),
        ("triplet", "triplets", {"normalize": False, "margin": 1.0}),
        ("triplet", "triplets", {"soft": True}),
        ("hoffer_ailon", "triplets", {}),
        ("dtsh", "triplets", {}),
    ],
)
def test_tuples_that_were_drawn_before_are_learned_from(name, sampler, options):
    losses = Losses(**{name: {"mining": "given", **options}}).terms()
    history = train(losses, dataclasses.replace(CONFIG, sampler=sampler, epochs=2))[2]
    assert np.isfinite([(each["train_loss"], each["val_loss"]) for each in history]).all()
    assert history[0]["train_mined"] <= 24 // (2 if sampler == "pairs" else 3)


@pytest.mark.parametrize("labelled", [0, 1, 2])
def test_few_validation_items_have_one_of_several_labels(labelled):
    data, vocabulary = pair_data()
    sets = np.zeros((len(data.groups), 3), dtype=np.uint8)
    sets[data.train, data.train % 3] = 1
    sets[data.val[:labelled], 0] = 1
    data = dataclasses.replace(data, labels=sets)
    model, _ = model_and_objective(len(vocabulary))
    objective = Objective({"info_nce": {}, "dpsh": {}})
    config = TrainingConfig(epochs=1, batch_size=48, select="map")
    (record,) = fit(model, objective, data, config, Fabric(accelerator="cpu", devices=1))
    assert record["val_map"] == (1.0 if labelled == 2 else 0.0)
    assert 0 < record["val_mrr"] <= 1
