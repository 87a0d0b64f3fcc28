"""What makes a GPU fast, without changing what is learned; the parts on any machine, the whole where there is a GPU."""

import dataclasses

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from kith.training import devices
from kith.training.compiling import compile_towers
from kith.training.finite import FiniteWatch
from kith.training.loop import fit
from kith.training.options import Augment, TrainingConfig
from kith.training.resident import ResidentInput, resident
from tests.made import model_and_objective, pair_data
from tests.training.test_metric_training import terms
from tests.training.test_metric_training import train as train_classes

CPU = torch.device("cpu")
CONFIG = TrainingConfig(epochs=3, batch_size=48, lr=5e-3, augment=Augment(flip=True, shift=0.05, erase=0.2))
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def test_pictures_that_fit_are_taken_from_the_device():
    data, _ = pair_data()
    there = resident(data, CPU, free=4 * data.image.array.nbytes)
    assert isinstance(there.image, ResidentInput)
    assert there.text is data.text
    rows = np.array([5, 0, 5, 191])
    assert torch.equal(there.image.take(rows)[0], data.image.take(rows)[0])
    assert np.array_equal(there.image.all_of(np.array([3, 1]))[0], data.image.all_of(np.array([3, 1]))[0])


def test_pictures_that_do_not_fit_stay():
    data, _ = pair_data()
    assert resident(data, CPU, free=4 * data.image.array.nbytes - 1) is data
    assert resident(data, CPU) is data  # no GPU


def test_features_are_copied_in_parts_as_they_are(monkeypatch):
    monkeypatch.setattr("kith.training.resident.COPIED", 100)
    data, _ = pair_data()
    features = np.random.default_rng(0).normal(size=(len(data.groups), 7)).astype(np.float16)
    data = dataclasses.replace(data, image=dataclasses.replace(data.image, array=features))
    there = resident(data, CPU, free=1 << 30)
    assert there.image.held.dtype == torch.float16
    assert np.array_equal(there.image.held.numpy(), features)


def test_training_from_the_device_learns_the_same_bits(monkeypatch):
    def weights():
        data, vocabulary = pair_data()
        model, objective = model_and_objective(len(vocabulary))
        fit(model, objective, data, CONFIG, Fabric(accelerator="cpu", devices=1))
        return model.state_dict()

    before = weights()
    monkeypatch.setattr("kith.training.loop.resident", lambda data, device: resident(data, device, free=1 << 30))
    assert all(torch.equal(before[name], tensor) for name, tensor in weights().items())


def test_a_watch_tells_later_what_was_not_finite_and_forgets_it():
    watch = FiniteWatch(at_once=False)
    watch.see("the loss is not finite", torch.tensor(1.0), None)
    watch.settle()
    watch.see("the embeddings are not finite", torch.tensor([1.0, float("inf")]))
    watch.see("the embeddings are not finite", torch.tensor([1.0]))
    with pytest.raises(FloatingPointError, match="embeddings"):
        watch.settle()
    watch.settle()


@pytest.mark.parametrize("refused", [ValueError, FloatingPointError])
def test_what_a_loss_refuses_is_told_as_what_was_not_finite_before(monkeypatch, refused):
    """Mining waits for a GPU and refuses rows that are not finite, before the watch has told of them."""
    monkeypatch.setattr("kith.training.task.FiniteWatch", lambda: FiniteWatch(at_once=False))

    def refuse(task, *given):
        raise refused("row 0")

    monkeypatch.setattr("kith.training.objective.Objective.forward", refuse)
    data, vocabulary = pair_data()
    model, objective = model_and_objective(len(vocabulary))
    with pytest.raises(refused, match=r"^row 0"):
        fit(model, objective, data, CONFIG, Fabric(accelerator="cpu", devices=1))
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="the embeddings are not finite in epoch 1, batch 1 of"):
        fit(model, objective, data, CONFIG, Fabric(accelerator="cpu", devices=1))


def test_on_a_cpu_a_watch_tells_at_once():
    with pytest.raises(FloatingPointError, match="the loss is nan"):
        FiniteWatch().see("the loss is nan", torch.tensor(float("nan")))


def test_a_cpu_compiles_nothing():
    tower = torch.nn.Linear(2, 2)
    assert not compile_towers([tower], CPU)
    assert tower._compiled_call_impl is None


def test_where_every_class_is_known_no_rows_are_chosen():
    _, _, history = train_classes(terms("hashnet"))
    assert all(np.isfinite(record["train_loss"]) for record in history)


@pytest.fixture
def cuda():
    return devices.fabric(threads=1, device="cuda", devices=1, precision="32")


@on_gpu
@pytest.mark.parametrize("compiled", [None, True])
def test_a_gpu_learns_what_a_cpu_learns(cuda, compiled):
    def history(fabric):
        data, vocabulary = pair_data()
        model, objective = model_and_objective(len(vocabulary))
        config = dataclasses.replace(CONFIG, optimizer="sgd", lr=0.005, clip_norm=1.0, compile=compiled)
        return fit(model, objective, data, config, fabric)

    cpu, gpu = history(Fabric(accelerator="cpu", devices=1)), history(cuda)
    assert [record["train_loss"] for record in gpu] == pytest.approx([record["train_loss"] for record in cpu], rel=0.05)


@on_gpu
def test_a_gpu_tells_that_a_loss_is_not_finite(cuda):
    data, vocabulary = pair_data()
    model, objective = model_and_objective(len(vocabulary))
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="not finite in epoch 1, by batch"):
        fit(model, objective, data, CONFIG, cuda)
