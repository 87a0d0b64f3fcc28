"""Towers that learn by rates of their own, or rest, in the training loop."""

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from kith.models import DualEncoder
from kith.store.inputs import TokenInput
from kith.training.architecture import architecture
from kith.training.data import TrainingData
from kith.training.finetuning import start_from_encoders, starting_encoder, tokenizer_of
from kith.training.loop import fit
from kith.training.objective import Objective
from kith.training.optimization import optimizer_of
from kith.training.options import Finetuning, OneCycle, PictureFinetuning, Refine, TrainingConfig
from kith.training.scheduling import schedule_of
from kith.training.state import TrainingState
from kith.training.task import Task
from tests.made import COLOURS, SHAPES, pair_data
from tests.made_encoders import write_encoder
from tests.made_processes import as_two, joined

pytest.importorskip("transformers")
STEPS = 8
LOSSES = {"info_nce": {"temperature": 0.1}}


def model_of(folder, kind: str = "clip", batch_norm: str = "frozen") -> tuple[DualEncoder, Objective, TrainingData]:
    """A model whose towers are the two sides of a tiny CLIP, or one for pictures and a bag of words."""
    if not (folder / "config.json").exists():  # of several processes, transformers lets only the first write
        write_encoder(kind, folder)
    name, (data, vocabulary) = f"hf:{folder}", pair_data(4)
    torch.manual_seed(0)
    starts = {"image": starting_encoder(name, "image", PictureFinetuning(batch_norm=batch_norm))}
    words = {"tower": "bag", "embedding": 8, "hidden": 8, "layers": 1, "dropout": 0.0}
    if kind == "clip":
        starts["text"] = starting_encoder(name, "text", Finetuning())
        words |= {"tower": "encoder"}
        cut, longest = tokenizer_of(starts["text"], 64)
        texts = [text for _ in range(4) for c in COLOURS for s in SHAPES for text in (f"a {c} {s}", f"the {s} is {c}")]
        data = TrainingData(**vars(data) | {"text": TokenInput(*cut.encode(texts, longest), data.text.start)})
    objective = Objective(LOSSES)
    dataset = {"image": {"height": 16, "channels": 3, "fit": "pad"}, "mean": [0.5] * 3, "std": [0.5] * 3}
    options = {"dim": 8, "image": {"tower": "encoder", "dropout": None}, "text": words, "head": "linear"}
    options |= {"codes": False, "projection": {"kind": "unit"}, "augment": {"crop": None}}
    networks = {side: each.network for side, each in starts.items()}
    model = DualEncoder(architecture(options, dataset, objective.needs, words=len(vocabulary), networks=networks))
    start_from_encoders(model, starts)
    return model, objective, data


def cpu(precision: str = "32-true") -> Fabric:
    return Fabric(accelerator="cpu", devices=1, precision=precision)


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.image_tower, self.text_tower = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
        self.head = torch.nn.Linear(2, 2)


def small_task() -> Task:
    return Task(Small(), Objective(LOSSES))


def config(schedule: str, **more) -> TrainingConfig:
    factors = {"image": 0.1, "text": 0.5}
    refine = Refine(patience=1, steps=3, multiplier=0.1, later_patience=1)
    more = {"one_cycle": OneCycle(rise=0.5), "steps": [(0, 0.1), (1, 0.05)], "refine": refine} | more
    return TrainingConfig(epochs=4, lr=0.1, schedule=schedule, plateau_patience=1, lr_factors=factors, **more)


SCHEDULES = ["constant", "cosine", "plateau", "refine", "sgdr", "steps", "resnet", "cyclical", "one_cycle"]


def rates_of(schedule: str, optimizer_name: str = "adamw") -> list[list[float]]:
    """Rates of all groups before each step, in epochs of two steps whose loss does not fall."""
    task, chosen = small_task(), config(schedule, optimizer=optimizer_name)
    optimizer = optimizer_of(task, chosen)
    followed = schedule_of(optimizer, chosen, 2)
    state = TrainingState(task, optimizer, followed, cpu().strategy.precision)
    found = []
    for step in range(STEPS):
        found.append([group["lr"] for group in optimizer.param_groups])
        for each in task.parameters():
            each.grad = torch.ones_like(each)
        optimizer.step()
        followed.after_step()
        if step % 2:
            state.add({"val_loss": float(step)}, -step)
    return found


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_scales_every_group_by_its_factor(schedule):
    found = np.array(rates_of(schedule))
    assert found.shape == (STEPS, 6)
    np.testing.assert_allclose(found / found[:, :1], [[1, 1, 0.1, 0.1, 0.5, 0.5]] * STEPS, rtol=1e-9)
    assert schedule in ("constant", "cosine") or len(np.unique(found[:, 0].round(12))) > 1


def test_small_rates_of_a_plateau_keep_their_factors():
    task, chosen = small_task(), config("plateau")
    optimizer = optimizer_of(task, chosen)
    followed = schedule_of(optimizer, chosen, 1)
    for _ in range(40):
        followed.after_epoch({"val_loss": 1.0}, False)
    rates = [group["lr"] for group in optimizer.param_groups]
    assert rates[2] / rates[0] == pytest.approx(0.1)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "adagrad"])
def test_without_factors_the_groups_are_those_of_before(name):
    task = small_task()
    groups = optimizer_of(task, TrainingConfig(epochs=1, optimizer=name)).param_groups
    assert len(groups) == 2
    assert "lr_factor" not in groups[0]
    matrices = [each for each in task.parameters() if each.ndim >= 2]
    assert [id(each) for each in groups[0]["params"]] == [id(each) for each in matrices]
    assert len(groups[0]["params"]) + len(groups[1]["params"]) == len(list(task.parameters()))
    groups = optimizer_of(task, config("constant", optimizer=name)).param_groups
    assert sum(len(group["params"]) for group in groups) == len(list(task.parameters()))


def trained(folder, kind: str = "clip", *, resume=None, states=None, batch_norm="frozen", precision="32-true", **more):
    model, objective, data = model_of(folder, kind, batch_norm)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    factors = {"image": 0.1} | ({"text": 0.5} if kind == "clip" else {})
    options = {"epochs": 3, "batch_size": 24, "lr": 1e-2, "lr_factors": factors, "clip_norm": 10.0} | more
    keep = (lambda state: None) if states is None else (lambda state: states.append(_copy(state)))
    history = fit(model, objective, data, TrainingConfig(**options), cpu(precision), resume=resume, on_checkpoint=keep)
    return model, history, before


def _copy(state):
    import io

    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


def changed(model: DualEncoder, before: dict, part: str) -> bool:
    return any(not torch.equal(each, before[k]) for k, each in model.state_dict().items() if k.startswith(part))


@pytest.mark.parametrize("batch_norm", ["frozen", "trained"])
def test_in_head_epochs_the_towers_stay_as_they_are_to_the_byte(batch_norm, tmp_path):
    settings = {"kind": "resnet", "batch_norm": batch_norm, "epochs": 2, "select": "loss"}
    model, _, before = trained(tmp_path, head_epochs=2, **settings)
    assert not changed(model, before, "image_tower")
    assert changed(model, before, "image_head")
    model, _, before = trained(tmp_path, head_epochs=1, **settings)
    assert changed(model, before, "image_tower")


@pytest.mark.parametrize("batch_norm", ["frozen", "trained"])
def test_frozen_statistics_are_the_same_after_an_epoch(batch_norm, tmp_path):
    model, _, before = trained(tmp_path, "resnet", batch_norm=batch_norm, epochs=1)
    statistics = [name for name in before if "running" in name and name.startswith("image_tower")]
    same = [torch.equal(model.state_dict()[name], before[name]) for name in statistics]
    assert len(statistics) > 4
    assert all(same) if batch_norm == "frozen" else not any(same)


@pytest.mark.parametrize("schedule", ["cosine", "plateau", "refine", "sgdr"])
def test_resuming_after_any_epoch_gives_what_an_unbroken_run_gives(schedule, tmp_path):
    states: list = []
    options = {"schedule": schedule, "head_epochs": 1, "plateau_patience": 1}
    options |= {"refine": Refine(patience=1, steps=1, later_patience=1), "select": "loss"}
    model, history, _ = trained(tmp_path, states=states, **options)
    for state in states:
        again, record, _ = trained(tmp_path, resume=state, **options)
        assert record == history
        for name, value in model.state_dict().items():
            assert torch.equal(value, again.state_dict()[name]), name


def test_it_learns_in_bf16(tmp_path):
    model, history, before = trained(tmp_path, precision="bf16-mixed", epochs=4, lr_factors={})
    assert changed(model, before, "image_tower")
    assert changed(model, before, "text_tower")
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert {each.dtype for each in model.parameters()} == {torch.float32}


def _two_processes(rank: int, port: int, folder: str) -> None:
    from pathlib import Path

    fabric = joined(rank, port)
    model, objective, data = model_of(Path(folder, "clip"))
    history = fit(model, objective, data, _PLAIN, fabric)
    torch.save({"state": model.state_dict(), "loss": [r["train_loss"] for r in history]}, f"{folder}/{rank}.pt")


_PLAIN = TrainingConfig(
    epochs=2, batch_size=24, lr=1e-2, optimizer="sgd", head_epochs=1, lr_factors={"image": 0.5, "text": 0.1}
)


def test_two_processes_train_as_one(tmp_path):
    write_encoder("clip", tmp_path / "clip")
    as_two(_two_processes, str(tmp_path))
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    model, objective, data = model_of(tmp_path / "clip")
    history = fit(model, objective, data, _PLAIN, cpu())
    np.testing.assert_allclose(first["loss"], [record["train_loss"] for record in history], rtol=1e-4)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(first["state"][name], second["state"][name], rtol=0, atol=0)
        torch.testing.assert_close(first["state"][name], value, rtol=1e-3, atol=1e-5)
