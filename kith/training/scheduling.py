"""The schedules that a training may follow, behind one interface: the loop knows none of them."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from kith.training import schedules
from kith.training.optimization import set_rates
from kith.training.options import TrainingConfig

Verdict = Literal["go on", "refine", "end"]


class Schedule:
    """Sets the learning rates of an optimizer, each group's by its factor. The loop says what happens, and does what
    is answered.

    "refine": training goes on from its best epoch, at `lr`. "end": it ends. A schedule `returns` if it ever says
    "refine": then the whole state of the best epoch is kept, and the later of two equal epochs counts as the best.
    """

    returns = False
    lr: float

    def after_step(self) -> None:
        """After each step of the optimizer."""

    def after_epoch(self, record: dict[str, float], improved: bool) -> Verdict:
        """After each validation; improved: whether the epoch is the best so far."""
        return "go on"

    def diverged(self) -> bool:
        """Called when the loss is not finite: whether training goes on from its best epoch, at `lr`."""
        return False

    def state_dict(self) -> dict[str, Any]:
        raise NotImplementedError

    def load_state_dict(self, state: dict[str, Any]) -> None:
        raise NotImplementedError


class StepSchedule(Schedule):
    """A function of the number of steps alone, see kith.training.schedules."""

    def __init__(self, optimizer: torch.optim.Optimizer, config: TrainingConfig, steps_per_epoch: int):
        self.lr = config.lr
        rate = schedules.of(
            config.schedule,
            config.lr,
            steps_per_epoch=steps_per_epoch,
            epochs=config.epochs,
            warmup=config.warmup,
            options=getattr(config, config.schedule, None),
        )
        decay = decay_of(config, steps_per_epoch)
        self.rates = LambdaLR(optimizer, lambda step: rate(step) * decay(step) / config.lr)

    def after_step(self) -> None:
        self.rates.step()

    def state_dict(self) -> dict[str, Any]:
        return self.rates.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rates.load_state_dict(state)


class Plateau(Schedule):
    """A tenth of the rate, but not less than `plateau_minimum`, after `plateau_patience` epochs in which the validation
    loss (or what `select: angular` looks at) has not fallen; times the steady decay, which plateaus do not count."""

    def __init__(self, optimizer: torch.optim.Optimizer, config: TrainingConfig, steps_per_epoch: int):
        self.lr = self.rate = config.lr
        self.steps, self.decay = 0, decay_of(config, steps_per_epoch)
        self.optimizer = optimizer
        lowest = config.plateau_minimum or 0
        self.rates = ReduceLROnPlateau(optimizer, patience=config.plateau_patience, min_lr=lowest)

    def after_step(self) -> None:
        self.steps += 1
        self._set()

    def after_epoch(self, record: dict[str, float], improved: bool) -> Verdict:
        set_rates(self.optimizer, self.rate)
        self.rates.step(record.get("val_angular", record["val_loss"]))
        # torch leaves off where a rate is small; the others have to leave off with the first, whatever their factors.
        self.rate = self.optimizer.param_groups[0]["lr"]
        self._set()
        return "go on"

    def _set(self) -> None:
        set_rates(self.optimizer, self.rate * self.decay(self.steps))

    def state_dict(self) -> dict[str, Any]:
        return {"plateau": self.rates.state_dict(), "rate": self.rate, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rates.load_state_dict(state["plateau"])
        self.rate, self.steps = state["rate"], state["steps"]


class Refinement(Schedule):
    """The refinement of Dorfer et al., IJMIR 2018: back to the best weights, at a lower rate.

    After `patience` epochs without an improvement the best weights come back and the learning rate is multiplied by
    `multiplier`; this is done `steps` times, with the patience `later_patience`. Then training ends. A loss that is
    not finite asks for a refinement at once, if one is left.

    >>> refinement = Refinement(0.2, patience=2, steps=1, multiplier=0.5, later_patience=1)
    >>> [refinement.after_epoch({}, improved) for improved in (True, False, False)], refinement.lr
    (['go on', 'go on', 'refine'], 0.1)
    """

    returns = True

    def __init__(self, lr: float, *, patience: int, steps: int, multiplier: float, later_patience: int):
        self.first, self.multiplier = lr, multiplier
        self.patience, self.later_patience, self.steps = patience, later_patience, steps
        self.waited = self.done = 0

    @property
    def lr(self) -> float:  # type: ignore[override]
        return self.first * self.multiplier**self.done

    def after_epoch(self, record: dict[str, float], improved: bool) -> Verdict:
        self.waited = 0 if improved else self.waited + 1
        if self.waited < (self.later_patience if self.done else self.patience):
            return "go on"
        return "refine" if self.diverged() else "end"

    def diverged(self) -> bool:
        if self.done == self.steps:
            return False
        self.waited, self.done = 0, self.done + 1
        return True

    def state_dict(self) -> dict[str, Any]:
        return {"waited": self.waited, "done": self.done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.waited, self.done = state["waited"], state["done"]


def decay_of(config: TrainingConfig, steps_per_epoch: int) -> Callable[[int], float]:
    """The factor that `max_decay` puts on the rates of each step, counted from 0."""
    if config.max_decay is None:
        return lambda step: 1.0
    final, steps = config.max_decay, config.epochs * steps_per_epoch
    return lambda step: schedules.continuous_decay(step, final, steps)


def schedule_of(optimizer: torch.optim.Optimizer, config: TrainingConfig, steps_per_epoch: int) -> Schedule:
    """The schedule that `config` names. Raises ValueError for options that do not fit it."""
    if config.schedule == "plateau":
        return Plateau(optimizer, config, steps_per_epoch)
    if config.schedule == "refine":
        return Refinement(config.lr, **vars(config.refine))
    return StepSchedule(optimizer, config, steps_per_epoch)
