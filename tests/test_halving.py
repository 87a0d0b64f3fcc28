"""Successive halving with a made-up trainer: who wins, what it costs, and that it goes on where it was."""

import numpy as np
import pytest

from kith.halving import Trial, halve


class FakeTrainer:
    """Scores rise with the epochs to each candidate's own height; an epoch costs its own seconds, and starting too."""

    def __init__(self, heights, costs, setup=0.0):
        self.heights, self.costs, self.setup = heights, costs, setup
        self.asked: list[tuple[str, int]] = []

    def __call__(self, candidate, epochs):
        self.asked.append((candidate, epochs))
        score = self.heights[candidate] * (1 - np.exp(-epochs / 5))
        return Trial(candidate, epochs, score, self.setup + epochs * self.costs[candidate], self.setup)


NAMES = [f"c{number}" for number in range(12)]
HEIGHTS = dict(zip(NAMES, np.random.default_rng(0).permutation(np.linspace(0.1, 0.9, 12)), strict=True))
COSTS = dict(zip(NAMES, np.random.default_rng(1).uniform(0.5, 2, 12), strict=True))


@pytest.mark.parametrize("budget", [100, 200, 1000])
def test_the_best_wins_within_the_budget(budget):
    trainer = FakeTrainer(HEIGHTS, COSTS)
    race = halve(NAMES, trainer, budget=budget, first=2, most=100)
    assert race.winner.candidate == max(NAMES, key=HEIGHTS.get)
    assert race.seconds == sum(each.seconds for each in race.trials) <= budget
    assert race.untried == ()


def test_rungs_grow_shorter_and_trials_longer():
    race = halve(NAMES, FakeTrainer(HEIGHTS, dict.fromkeys(NAMES, 1.0)), budget=240, first=2, most=100)
    rungs: dict[int, list[str]] = {}
    for trial in race.trials:
        rungs.setdefault(trial.epochs, []).append(trial.candidate)
    assert [len(each) for each in rungs.values()] == [12, 4, 2, 1]
    assert list(rungs) == sorted(rungs)
    best_first = sorted(NAMES, key=HEIGHTS.get, reverse=True)
    assert [sorted(each) for each in rungs.values()] == [sorted(best_first[:n]) for n in (12, 4, 2, 1)]


def test_where_a_rung_has_no_time_for_more_epochs_the_best_alone_goes_on():
    """Three of nine could have 3 epochs each in what is left, and have had 4; the best one has all of it."""
    first, *others = sorted(NAMES[:9], key=HEIGHTS.get, reverse=True)
    costs = dict.fromkeys(NAMES, 0.25) | dict.fromkeys([first, *others[:2]], 2.0)
    race = halve([*others[2:], *others[:2], first], FakeTrainer(HEIGHTS, costs), budget=72, first=4, most=60)
    assert [(trial.candidate, trial.epochs) for trial in race.trials[9:]] == [(first, 21)]


def test_what_a_trial_needs_before_its_first_epoch_is_no_cost_of_epochs():
    slow = FakeTrainer(HEIGHTS, dict.fromkeys(NAMES, 1.0), setup=6.0)
    race = halve(NAMES[:2], slow, budget=100, first=4, most=200)
    assert [trial.epochs for trial in race.trials] == [4, 4, 74]
    assert race.seconds == 100


def test_no_trial_is_longer_than_the_most_epochs():
    race = halve(NAMES, FakeTrainer(HEIGHTS, COSTS), budget=1e6, first=2, most=30)
    assert max(trial.epochs for trial in race.trials) == 30
    assert halve(NAMES[:1], FakeTrainer(HEIGHTS, COSTS), budget=1e6, first=9, most=4).trials[0].epochs == 4


def test_without_time_the_first_candidate_is_tried_and_the_others_are_named():
    race = halve(NAMES, FakeTrainer(HEIGHTS, COSTS), budget=0.1, first=2, most=30)
    assert [trial.candidate for trial in race.trials] == NAMES[:1]
    assert race.untried == tuple(NAMES[1:])


def test_a_first_rung_takes_half_of_the_budget_at_most():
    race = halve(NAMES, FakeTrainer(HEIGHTS, dict.fromkeys(NAMES, 1.0)), budget=20, first=2, most=30)
    first = [trial for trial in race.trials if trial.epochs == 2]
    assert len(first) == 5
    assert race.untried == tuple(NAMES[5:])
    assert race.seconds <= 20


def test_the_costs_of_starting_count():
    """They are spread over the epochs, so that a longer rung is planned with too much rather than too little."""
    race = halve(NAMES, FakeTrainer(HEIGHTS, COSTS, setup=3.0), budget=300, first=2, most=100)
    assert race.seconds <= 300


def test_longer_is_not_always_better():
    """A method that learns by heart is taken at the length at which it was best in validation."""

    def overfits(candidate, epochs):
        return Trial(candidate, epochs, 1 / epochs, float(epochs))

    assert halve(["a", "b"], overfits, budget=1000, first=2, most=50).winner == Trial("a", 2, 0.5, 2.0)


@pytest.mark.parametrize("kept", [0, 1, 5, 12, 15])
def test_an_interrupted_race_goes_on_with_the_trials_that_it_has(kept):
    """Given back its first trials, it asks for the others alone, and ends as the unbroken one."""
    whole = halve(NAMES, FakeTrainer(HEIGHTS, COSTS), budget=150, first=2, most=100)
    known = {(trial.candidate, trial.epochs): trial for trial in whole.trials[:kept]}
    trainer = FakeTrainer(HEIGHTS, COSTS)

    def run(candidate, epochs):
        return known.get((candidate, epochs)) or trainer(candidate, epochs)

    assert halve(NAMES, run, budget=150, first=2, most=100) == whole
    assert trainer.asked == [(trial.candidate, trial.epochs) for trial in whole.trials[kept:]]


def test_equals_keep_their_order():
    def equal(candidate, epochs):
        return Trial(candidate, epochs, 0.5, 1.0)

    race = halve(NAMES, equal, budget=100, first=1, most=3)
    assert race.winner == Trial("c0", 1, 0.5, 1.0)
    assert next(trial.candidate for trial in race.trials if trial.epochs > 1) == "c0"


@pytest.mark.parametrize(
    ("candidates", "options"),
    [([], {}), (["a", "a"], {}), (["a"], {"first": 0}), (["a"], {"most": 0}), (["a"], {"eta": 1})],
)
def test_what_is_no_race_is_refused(candidates, options):
    with pytest.raises(ValueError, match="a race needs"):
        halve(candidates, FakeTrainer({"a": 1}, {"a": 1}), **{"budget": 10, "first": 1, "most": 5} | options)
