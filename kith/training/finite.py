"""Whether what is computed stays finite: told at once on a CPU, and on a GPU only when it has to wait anyway."""

from torch import Tensor


class FiniteWatch:
    """Looks at tensors as they are made. On a CPU `see` raises at once. On a GPU, where asking would wait for all that
    is still being computed, it notes the answer on the device, and `settle` asks.

    at_once: whether `see` raises; None: for tensors on a CPU.

    >>> import torch
    >>> watch = FiniteWatch(at_once=False)
    >>> watch.see("the embeddings are not finite", torch.tensor([1.0, float("nan")]))
    >>> watch.settle()
    Traceback (most recent call last):
    ...
    FloatingPointError: the embeddings are not finite
    """

    def __init__(self, at_once: bool | None = None):
        self.at_once = at_once
        self.noted: dict[str, Tensor] = {}

    def see(self, complaint: str, *given: Tensor | None) -> None:
        """Raise FloatingPointError with this complaint where a tensor is not finite, or note it for later."""
        for tensor in (each for each in given if each is not None):
            finite = tensor.isfinite().all()
            if self.at_once or (self.at_once is None and tensor.device.type == "cpu"):
                if not finite:
                    raise FloatingPointError(complaint)
            else:
                self.noted[complaint] = self.noted[complaint] & finite if complaint in self.noted else finite

    def settle(self) -> None:
        """Raise FloatingPointError for the first complaint that was noted since the last time."""
        noted, self.noted = self.noted, {}
        for complaint, finite in noted.items():
            if not finite:
                raise FloatingPointError(complaint)
