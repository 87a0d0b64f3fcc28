"""Successive halving: many candidates are tried for a short while, the better part of them for longer, and so on.

Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", AISTATS 2016. Here the
budget is time: how many epochs a rung has follows from what the epochs of the rungs before have cost.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

ETA = 3  # of so many candidates one goes on


class Trial(NamedTuple):
    """What a candidate reached in so many epochs: score, the higher the better; seconds, what that cost, of which
    `starting` are not of its epochs."""

    candidate: str
    epochs: int
    score: float
    seconds: float
    starting: float = 0.0


@dataclass(frozen=True)
class Race:
    """trials: all of them, in the order in which they were run. untried: candidates for which there was no time."""

    trials: tuple[Trial, ...]
    untried: tuple[str, ...] = ()

    @property
    def winner(self) -> Trial:
        """The best score, whatever its epochs: longer is not always better. Of equals the one that was run first."""
        return max(self.trials, key=lambda each: each.score)

    @property
    def seconds(self) -> float:
        """What all trials have cost."""
        return sum(each.seconds for each in self.trials)


def halve(
    candidates: Sequence[str],
    run: Callable[[str, int], Trial],
    *,
    budget: float,
    first: int,
    most: int,
    eta: int = ETA,
) -> Race:
    """Find the best of `candidates` within `budget` seconds.

    run: (candidate, epochs) → its Trial. The first rung gives each candidate `first` epochs, in their order, as long as
    there is time: the rung may take half of the budget, and one candidate at least is tried. From then on the best of
    each `eta` go on; a rung may take an equal share of what is left for it and the rungs after it, and has as many
    epochs as that allows by what an epoch has cost, at most `most`. Where those would be no more than in the rung
    before, fewer go on, and in the end the best one alone; if that has no more either, the race is over. The same
    costs and scores give the same trials: who hands them out again, as after an interruption, is asked for nothing new
    before they end.

    Raises ValueError where there is no candidate, or one is named twice, and for numbers of epochs below 1.

    >>> score = {"small": 0.2, "large": 0.5, "huge": 0.4}
    >>> race = halve(list(score), lambda name, epochs: Trial(name, epochs, score[name] * epochs, 1.0 * epochs),
    ...              budget=60, first=2, most=30)
    >>> [(trial.candidate, trial.epochs) for trial in race.trials], race.winner.candidate
    ([('small', 2), ('large', 2), ('huge', 2), ('large', 30)], 'large')
    """
    _check(candidates, first, most, eta)
    trials: list[Trial] = []
    for candidate in candidates:
        if trials and not _fits(trials, budget / 2):
            break
        trials.append(run(candidate, min(first, most)))
    tried, rung, alone = len(trials), list(trials), False
    while not alone:
        rung = sorted(rung, key=lambda each: -each.score)[: math.ceil(len(rung) / eta)]
        alone = len(rung) == 1
        epochs = _epochs(rung, budget - sum(each.seconds for each in trials), most, eta)
        if epochs > rung[0].epochs:
            rung = [run(each.candidate, epochs) for each in rung]
            trials += rung
    return Race(tuple(trials), tuple(candidates[tried:]))


def _check(candidates: Sequence[str], first: int, most: int, eta: int) -> None:
    if not candidates or len(set(candidates)) < len(candidates):
        raise ValueError("a race needs candidates, each named once")
    if min(first, most) < 1 or eta < 2:
        raise ValueError(f"a race needs 1 epoch or more, and eta of 2 or more, not {first}, {most} and {eta}")


def _fits(trials: Sequence[Trial], limit: float) -> bool:
    """Whether one more trial, as long as those before, ends within the limit."""
    spent = sum(each.seconds for each in trials)
    return spent + spent / len(trials) <= limit


def _epochs(rung: Sequence[Trial], left: float, most: int, eta: int) -> int:
    """How many epochs each of a rung can have; their trials before say what one costs."""
    rungs, alive = 1, len(rung)
    while alive > 1:
        rungs, alive = rungs + 1, math.ceil(alive / eta)
    an_epoch = sum((each.seconds - each.starting) / each.epochs for each in rung)
    of_epochs = left / rungs - sum(each.starting for each in rung)
    return most if an_epoch == 0 else min(most, max(0, int(of_epochs / an_epoch)))
