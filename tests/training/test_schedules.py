"""Learning rates against the published series, torch's own schedulers and loops."""

import itertools
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kith.training import schedules
from kith.training.options import Cyclical, Sgdr, TrainingConfig
from kith.training.scheduling import schedule_of

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "hierarchy" / "lr_schedules.json"


@pytest.fixture(scope="module")
def golden():
    if not GOLDEN.exists():
        pytest.skip(f"reference numbers are not there: {GOLDEN}")
    return json.loads(GOLDEN.read_text())


@pytest.mark.parametrize("name", ["sgdr_default_372", "sgdr_180_maxlr0.5", "sgdr_ilsvrc_80"])
def test_sgdr_is_the_reference_to_the_bit(golden, name):
    expected = golden[name]
    options = expected["base"], expected["mul"], expected["max_lr"], expected["min_lr"]
    assert [schedules.sgdr(epoch, *options) for epoch in range(expected["epochs"])] == expected["lr"]


def test_cyclical_is_the_reference_to_the_bit(golden):
    expected = golden["clr_triangular_step120"]
    options = expected["step_size"], expected["max_lr"], expected["min_lr"]
    assert [schedules.cyclical(step, *options) for step in range(expected["batches"])] == expected["lr"]


def stepped(scheduler, steps: int) -> list[float]:
    rates = []
    for _ in range(steps):
        rates.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        scheduler.step()
    return rates


def optimizer(lr: float = 1.0) -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


@pytest.mark.parametrize(("steps", "rise"), [(50, 0.3), (20, 0.25), (7, 0.5)])
def test_one_cycle_is_torchs(steps, rise):
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer(), max_lr=0.4, total_steps=steps, pct_start=rise, cycle_momentum=False
    )
    # torch's scheduler refuses a step beyond the last one.
    expected = [*stepped(theirs, steps - 1), theirs.optimizer.param_groups[0]["lr"]]
    assert [schedules.one_cycle(step, steps, 0.4, rise) for step in range(steps)] == pytest.approx(expected, rel=1e-9)


def test_cyclical_is_torchs():
    theirs = torch.optim.lr_scheduler.CyclicLR(optimizer(), 0.01, 0.2, step_size_up=7, cycle_momentum=False)
    ours = [schedules.cyclical(step, 7, 0.2, 0.01) for step in range(40)]
    assert ours == pytest.approx(stepped(theirs, 40), rel=1e-9)


def test_they_drive_torchs_lambda_lr():
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer(), schedules.sgdr)
    assert stepped(scheduler, 40) == [schedules.sgdr(epoch) for epoch in range(40)]


@given(st.integers(1, 20), st.integers(1, 3), st.integers(1, 4))
def test_sgdr_falls_from_the_maximum_to_the_minimum_in_every_cycle(base, multiplier, cycles):
    rates = [
        schedules.sgdr(e, base, multiplier, 0.5, 0.1) for e in range(schedules.sgdr_epochs(cycles, base, multiplier))
    ]
    start = 0
    for cycle in range(cycles):
        part = rates[start : start + base * multiplier**cycle]
        assert part[0] == 0.5
        assert all(a > b for a, b in itertools.pairwise(part))
        assert len(part) == 1 or part[-1] == pytest.approx(0.1)
        start += len(part)
    assert start == len(rates)


def test_published_lengths():
    assert schedules.sgdr_epochs() == 372
    assert schedules.sgdr_epochs(1, 80) == 80


@pytest.mark.parametrize("options", [(0, 2), (12, 0)])
def test_sgdr_without_epochs_is_refused(options):
    with pytest.raises(ValueError, match="at least one epoch"):
        schedules.sgdr(3, *options)


def test_continuous_decay_ends_at_the_share_asked_for():
    # Decay (1/m − 1)/steps of Keras: rate / (1 + decay·step).
    factors = [schedules.continuous_decay(step, 0.1, 500) for step in range(501)]
    assert factors[0] == 1
    assert factors[-1] == pytest.approx(0.1)
    assert factors[250] == pytest.approx(1 / (1 + (9 / 500) * 250))


def test_step_list():
    rates = [(2, 0.1), (5, 0.01), (6, 0.5)]
    assert [schedules.step_list(e, rates) for e in range(8)] == [0.1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.5, 0.5]
    for wrong in ([], [(3, 0.1), (3, 0.2)], [(4, 0.1), (1, 0.2)]):
        with pytest.raises(ValueError, match="rising epochs"):
            schedules.step_list(0, wrong)


def test_resnet_schedule():
    expected = [0.01] + [0.1] * 79 + [0.01] * 40 + [0.001] * 44
    assert [schedules.resnet(e) for e in range(164)] == pytest.approx(expected)


STEP_BY_STEP = ["constant", "cosine", "plateau", "sgdr", "steps", "resnet", "cyclical", "one_cycle"]
EPOCHS, BATCHES = 9, 4


def followed(losses=range(EPOCHS), cut: int | None = None, **options) -> list[float]:
    """The rate of every step of a training with these validation losses, which may have been cut off after an epoch."""
    options = {"steps": [(0, 0.5), (4, 0.05)], "plateau_patience": 1, "sgdr": Sgdr(base=3, multiplier=1)} | options
    config = TrainingConfig(epochs=EPOCHS, lr=0.5, cyclical=Cyclical(half_cycle=2), **options)
    groups = optimizer(0.5)
    schedule = schedule_of(groups, config, BATCHES)
    rates = []
    for epoch, loss in enumerate(losses):
        for _ in range(BATCHES):
            rates.append(groups.param_groups[0]["lr"])
            groups.step()
            schedule.after_step()
        schedule.after_epoch({"val_loss": float(loss)}, False)
        if epoch == cut:
            saved, state = groups.state_dict(), schedule.state_dict()
            groups = optimizer(0.5)
            schedule = schedule_of(groups, config, BATCHES)
            groups.load_state_dict(saved)
            schedule.load_state_dict(state)
    return rates


@pytest.mark.parametrize("name", STEP_BY_STEP)
def test_every_schedule_can_decay_steadily_besides(name):
    plain, decayed = followed(schedule=name), followed(schedule=name, max_decay=0.1)
    factors = [schedules.continuous_decay(step, 0.1, EPOCHS * BATCHES) for step in range(EPOCHS * BATCHES)]
    assert decayed == pytest.approx([rate * factor for rate, factor in zip(plain, factors, strict=True)], rel=1e-12)
    assert followed(schedule=name, max_decay=0.1, cut=4) == decayed


def test_a_plateau_goes_no_lower_than_its_minimum():
    assert sorted(set(followed(schedule="plateau"))) == pytest.approx([0.0005, 0.005, 0.05, 0.5])
    assert set(followed(schedule="plateau", plateau_minimum=0.02)) == {0.5, 0.05, 0.02}


def test_the_decay_of_sgdr_is_that_of_every_schedule():
    assert followed(schedule="sgdr", sgdr=Sgdr(3, 1, final=0.1)) == followed(
        schedule="sgdr", sgdr=Sgdr(3, 1), max_decay=0.1
    )
