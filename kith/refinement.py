"""The learning-rate refinement of Dorfer et al., IJMIR 2018: back to the best weights, at a lower rate."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass
class Refinement:
    """After `patience` epochs without an improvement the best weights come back and the learning rate is
    multiplied by `multiplier`; this is done `steps` times, with the patience `later_patience`. Then training ends.
    """

    patience: int = 15
    steps: int = 3
    multiplier: float = 0.1
    later_patience: int = 10
    waited: int = 0
    done: int = 0

    def epoch(self, improved: bool) -> Literal["go on", "refine", "end"]:
        """What follows after an epoch."""
        self.waited = 0 if improved else self.waited + 1
        if self.waited < (self.later_patience if self.done else self.patience):
            return "go on"
        return self.refine()

    def refine(self) -> Literal["refine", "end"]:
        """A refinement that is due at once, if one is left."""
        if self.done == self.steps:
            return "end"
        self.waited, self.done = 0, self.done + 1
        return "refine"

    @property
    def factor(self) -> float:
        """By which the first learning rate is multiplied now."""
        return self.multiplier**self.done

    def state_dict(self) -> dict[str, Any]:
        return {"waited": self.waited, "done": self.done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.waited, self.done = state["waited"], state["done"]
