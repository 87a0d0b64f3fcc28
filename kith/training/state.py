"""The state of a training: what it has reached, what its best epoch was, and all that it needs to go on exactly."""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kith.training.optimization import set_rates
from kith.training.scheduling import Schedule
from kith.training.task import Task
from kith.training.uncompiled import uncompiled

State = dict[str, Any]
Record = dict[str, float]


class TrainingState:
    """history: one record an epoch; best: score, number and weights of the best epoch; ended: whether no epoch follows.

    precision: the Fabric plugin that holds the scale of half-precision losses.
    """

    def __init__(self, task: Task, optimizer: torch.optim.Optimizer, schedule: Schedule, precision: Any):
        self.task, self.optimizer, self.schedule, self.precision = task, optimizer, schedule, precision
        self.history: list[Record] = []
        self.best: State = {"score": -np.inf, "epoch": 0, "model": None}
        self.ended = False

    @uncompiled()
    def save(self) -> State:
        """Everything, for `load`; its tensors are those in use, which training changes."""
        return {
            "task": self.task.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "precision": self.precision.state_dict(),
            "history": self.history,
            "best": self.best,
            "ended": self.ended,
        }

    @uncompiled()
    def load(self, state: State) -> None:
        """Take over what `save` has given, in this process or another."""
        self.task.load_state_dict(state["task"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.precision.load_state_dict(state["precision"])
        self.history, self.best, self.ended = list(state["history"]), state["best"], state["ended"]

    def add(self, record: Record, score: float, early_stopping: int | None = None) -> None:
        """Note an epoch and its score, and do what the schedule says; higher scores are better.

        early_stopping: end when the best epoch is so many epochs ago.
        """
        self.history.append(record)
        improved = self.improve(score)
        verdict = self.schedule.after_epoch(record, improved)
        stopped = early_stopping is not None and len(self.history) - self.best["epoch"] >= early_stopping
        self.ended = stopped or verdict == "end"
        if verdict == "refine":
            self.back_to_best()

    @uncompiled()
    def improve(self, score: float) -> bool:
        """Keep the last epoch if it is the best so far, and say whether it is."""
        improved = score > self.best["score"] or (self.schedule.returns and score == self.best["score"])
        if improved:
            parts = {"model": self.task.model.state_dict()}
            if self.schedule.returns:
                parts |= {"objective": self.task.objective.state_dict(), "optimizer": self.optimizer.state_dict()}
            self.best = {"score": score, "epoch": len(self.history), **_copy(parts)}
        return improved

    def recover(self) -> bool:
        """After a loss that is not finite: back to the best epoch, if there is one and the schedule allows it."""
        if self.best["model"] is None or not self.schedule.diverged():
            return False
        self.back_to_best()
        return True

    @uncompiled()
    def back_to_best(self) -> None:
        """Model, objective and optimizer as after the best epoch, with the schedule's learning rate."""
        self.task.model.load_state_dict(self.best["model"])
        self.task.objective.load_state_dict(self.best["objective"])
        self.optimizer.load_state_dict(copy.deepcopy(self.best["optimizer"]))
        set_rates(self.optimizer, self.schedule.lr)


def _copy(state: State) -> State:
    """The tensors of a nested state as they are now, on the CPU."""
    return torch.utils._pytree.tree_map_only(Tensor, lambda x: x.detach().cpu().clone(), state)
