import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from kith.training import loop
from kith.training.epoch import train_epoch
from kith.training.loop import fit
from kith.training.objective import Objective
from kith.training.options import Augment, TrainingConfig
from tests.made import model_and_objective, pair_data
from tests.made_processes import as_two, joined

CONFIG = TrainingConfig(epochs=4, batch_size=48, lr=5e-3, augment=Augment(shift=0.05))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def cpu() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def train(config: TrainingConfig = CONFIG, **options):
    data, vocabulary = pair_data()
    model, objective = model_and_objective(len(vocabulary))
    return model, fit(model, objective, data, config, cpu(), **options)


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_training_learns_and_keeps_the_best_epoch():
    _, history = train(TrainingConfig(epochs=25, batch_size=48, lr=5e-3))
    assert [record["epoch"] for record in history] == list(range(1, 26))
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    # 24 kinds, one picture each: chance is an MRR of about .16.
    assert max(record["val_mrr"] for record in history) > 0.6
    assert {"train_info_nce", "train_angular_image", "val_loss", "val_R@1", "val_R@10", "val_median_rank", "lr"} <= set(
        history[0]
    )


def test_two_runs_give_the_same_weights():
    (first, _), (second, _) = train(), train()
    assert same(first, second)


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_resuming_after_any_epoch_gives_what_an_unbroken_run_gives(schedule):
    config = TrainingConfig(epochs=4, batch_size=48, lr=5e-3, augment=Augment(shift=0.05), schedule=schedule)
    states = []
    unbroken, history = train(config, on_checkpoint=lambda state: states.append(copy.deepcopy(state)))
    for state in states[:-1]:
        resumed, again = train(config, resume=state)
        assert same(unbroken, resumed)
        assert again == history


def test_early_stopping_counts_from_the_best_epoch():
    config = TrainingConfig(epochs=40, batch_size=48, lr=1e-9, early_stopping=2)
    _, history = train(config)
    best = int(np.argmax([record["val_mrr"] for record in history])) + 1
    assert len(history) == best + 2 < 40


def test_selection_by_loss_keeps_the_epoch_of_the_lowest_validation_loss():
    states = []
    config = TrainingConfig(epochs=5, batch_size=48, lr=2e-2, select="loss")
    model, history = train(config, on_checkpoint=lambda state: states.append(copy.deepcopy(state)))
    best = int(np.argmin([record["val_loss"] for record in history]))
    kept = {k.removeprefix("model."): v for k, v in states[best]["task"].items() if k.startswith("model.")}
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())


def test_a_loss_that_is_not_finite_stops_the_training():
    with pytest.raises(FloatingPointError, match=r"epoch 1, batch \d of 4"):
        train(TrainingConfig(epochs=2, batch_size=48, lr=1e30, optimizer="sgd", warmup=0.0))


@pytest.mark.parametrize("schedule", ["constant", "refine"])
def test_embeddings_that_are_not_finite_stop_the_training_or_ask_for_a_refinement(monkeypatch, schedule):
    """The last step of epoch 3 spoils the weights once: only the validation can see it."""
    spoiled = []

    def spoiling(task, *given, **more):
        done = train_epoch(task, *given, **more)
        if given[-1] == 3 and not spoiled:
            spoiled.append(
                task.model.image_tower.load_state_dict(
                    {name: value * float("nan") for name, value in task.model.image_tower.state_dict().items()}
                )
            )
        return done

    monkeypatch.setattr(loop, "train_epoch", spoiling)
    config = TrainingConfig(epochs=4, batch_size=48, schedule=schedule)
    if schedule == "constant":
        with pytest.raises(FloatingPointError, match="the embeddings are not finite after epoch 3"):
            train(config)
    else:
        _, history = train(config)
        assert [record["epoch"] for record in history] == [1, 2, 3, 4]
        assert [record["lr"] for record in history] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4])


def test_a_mined_loss_of_embeddings_that_are_not_finite_stops_the_training():
    data, vocabulary = pair_data()
    data = replace(data, labels=np.arange(len(data.groups)) % 4)
    model, _ = model_and_objective(len(vocabulary))
    objective = Objective({"triplet": {"mining": "semi_hard"}})
    with torch.no_grad():
        next(model.image_tower.parameters()).fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="the embeddings are not finite in epoch 1, batch 1 of"):
        fit(model, objective, data, TrainingConfig(epochs=1, batch_size=48), cpu())


def test_the_optimizer_and_schedule_are_used():
    rates = [record["lr"] for record in train(TrainingConfig(epochs=4, batch_size=48, lr=1e-2, warmup=0.25))[1]]
    assert rates[0] < rates[1] > rates[2] > rates[3]


def _two_processes(rank: int, port: int, folder: str, synchronised: bool) -> None:
    fabric = joined(rank, port)
    data, vocabulary = pair_data()
    model, objective = model_and_objective(len(vocabulary))
    _without(model, _CHANGING if synchronised else _LOCAL)
    config = replace(_PLAIN, sync_batch_norm=True) if synchronised else _PLAIN
    history = fit(model, objective, data, config, fabric)
    torch.save({"state": model.state_dict(), "loss": [r["train_loss"] for r in history]}, f"{folder}/{rank}.pt")


_PLAIN = TrainingConfig(epochs=2, batch_size=48, lr=1e-3, optimizer="sgd")


# Batch norm and dropout are local to a process; without them two processes must equal one.
_CHANGING = (torch.nn.Dropout,)
_LOCAL = (torch.nn.BatchNorm2d, torch.nn.Dropout)


def _without(model: torch.nn.Module, kinds: tuple[type, ...]) -> None:
    for parent in model.modules():
        for name, child in parent.named_children():
            if isinstance(child, kinds):
                setattr(parent, name, torch.nn.Identity())


@pytest.mark.parametrize("synchronised", [False, True])
def test_two_processes_train_as_one(tmp_path, synchronised):
    """Batch norm that is synchronised sees what that of one process sees, running statistics among it."""
    as_two(_two_processes, str(tmp_path), synchronised)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    data, vocabulary = pair_data()
    model, objective = model_and_objective(len(vocabulary))
    _without(model, _CHANGING if synchronised else _LOCAL)
    assert any(isinstance(each, torch.nn.BatchNorm2d) for each in model.modules()) == synchronised
    history = fit(model, objective, data, _PLAIN, cpu())
    np.testing.assert_allclose(first["loss"], [record["train_loss"] for record in history], rtol=1e-4)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(first["state"][name], second["state"][name], rtol=0, atol=0)
        torch.testing.assert_close(first["state"][name], value, rtol=1e-3, atol=1e-5)
