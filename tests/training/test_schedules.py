"""Learning rates against the published series, torch's own schedulers and loops."""

import itertools
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kith.training import schedules

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
