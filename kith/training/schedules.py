"""Learning rates as functions of the epoch or step alone, counted from 0: a resumed training goes on exactly.

For torch.optim.lr_scheduler.LambdaLR, divide by the optimiser's own rate, or set that to 1.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any


def sgdr(epoch: int, base: int = 12, multiplier: int = 2, maximum: float = 0.1, minimum: float = 1e-6) -> float:
    """Half cosines with warm restarts (Loshchilov & Hutter, ICLR 2017); a cycle is `multiplier` times the last one.

    Epoch 0 of a cycle of T has the maximum, any other epoch j minimum + ½(maximum − minimum)(1 + cos(π(j+1)/T)), so
    that the last one has the minimum (Barz & Denzler, WACV 2019). Raises ValueError for a cycle without epochs.

    >>> [round(sgdr(epoch, base=2), 4) for epoch in range(6)]
    [0.1, 0.0, 0.1, 0.05, 0.0146, 0.0]
    """
    if base < 1 or multiplier < 1:
        raise ValueError(f"cycles of SGDR need at least one epoch: base {base}, multiplier {multiplier}")
    length = base
    while epoch >= length:
        epoch -= length
        length *= multiplier
    return maximum if epoch == 0 else _cosine(epoch + 1, length, maximum, minimum)


def sgdr_epochs(cycles: int = 5, base: int = 12, multiplier: int = 2) -> int:
    """Epochs of whole cycles: 372 by default.

    >>> sgdr_epochs(cycles=2)
    36
    """
    return sum(base * multiplier**i for i in range(cycles))


def continuous_decay(step: int, final: float, steps: int) -> float:
    """A factor on any schedule, 1 / (1 + decay·step): from 1 at step 0 to `final` after `steps`.

    >>> continuous_decay(100, final=0.5, steps=100)
    0.5
    """
    return 1 / (1 + (1 / final - 1) * step / steps)


def step_list(epoch: int, rates: Sequence[tuple[int, float]]) -> float:
    """The rate of the last (epoch, rate) that is reached; before the first one, the first rate.

    Raises ValueError if there are none or their epochs do not rise.

    >>> [step_list(epoch, [(0, 0.1), (10, 0.01)]) for epoch in (0, 9, 10)]
    [0.1, 0.1, 0.01]
    """
    starts = [start for start, _ in rates]
    if not starts or any(a >= b for a, b in itertools.pairwise(starts)):
        raise ValueError(f"a step list needs (epoch, rate) with rising epochs, not {list(rates)}")
    return next((rate for start, rate in reversed(rates) if epoch >= start), rates[0][1])


def resnet(epoch: int, maximum: float = 0.1) -> float:
    """He et al. (CVPR 2016) on CIFAR, over 164 epochs: a tenth of the maximum for one epoch of warm-up, the maximum,
    a tenth from epoch 80, a hundredth from epoch 120.

    >>> [round(resnet(epoch), 4) for epoch in (0, 1, 80, 120)]
    [0.01, 0.1, 0.01, 0.001]
    """
    return step_list(epoch, ((0, maximum / 10), (1, maximum), (80, maximum / 10), (120, maximum / 100)))


def cyclical(step: int, half_cycle: int, maximum: float = 0.1, minimum: float = 1e-5) -> float:
    """Triangles: from the minimum to the maximum in `half_cycle` steps and back (Smith, WACV 2017).

    >>> [round(cyclical(step, half_cycle=2, minimum=0), 2) for step in range(5)]
    [0.0, 0.05, 0.1, 0.05, 0.0]
    """
    cycle = math.floor(1 + step / (2 * half_cycle))
    height = max(0.0, 1 - abs(step / half_cycle - 2 * cycle + 1))
    return minimum + (maximum - minimum) * height


def one_cycle(
    step: int, steps: int, maximum: float = 0.1, rise: float = 0.3, start: float = 25, final: float = 1e4
) -> float:
    """Half a cosine up over the share `rise`, below 1, of all steps, half a cosine down (Smith & Topin, 2018).

    The rates of torch's OneCycleLR: from maximum / start over the maximum to maximum / start / final.

    >>> [round(one_cycle(step, steps=10), 4) for step in (0, 2, 9)]
    [0.004, 0.1, 0.0]
    """
    top = rise * steps - 1
    low = maximum / start
    if step < top:
        return _cosine(step, top, low, maximum)
    return _cosine(step - top, steps - 1 - top, maximum, low / final)


def warm_up(step: int, steps: int, maximum: float, warm: int, cosine: bool) -> float:
    """A straight line up to the maximum in `warm` steps, then the maximum, or half a cosine down to 0.

    >>> [round(warm_up(step, steps=4, maximum=0.1, warm=2, cosine=True), 3) for step in range(5)]
    [0.05, 0.1, 0.1, 0.05, 0.0]
    """
    if step < warm:
        return maximum * ((step + 1) / warm)
    return maximum * (0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))) if cosine else maximum


def of(
    name: str, maximum: float, *, steps_per_epoch: int, epochs: int, warmup: float = 0.05, options: Any = None
) -> Callable[[int], float]:
    """The rate at each step, counted from 0, of the schedule that a method names.

    constant, cosine: `warm_up` over the share `warmup` of all steps; steps, resnet, sgdr change with the epoch;
    cyclical, one_cycle with the step. options: of that schedule, see kith.training.options; half_cycle is in epochs,
    and the `final` of sgdr is that of `continuous_decay`. Raises ValueError for options that do not fit.

    >>> rate = of("steps", 0.1, steps_per_epoch=10, epochs=2, options=[(0, 0.1), (1, 0.01)])
    >>> rate(9), rate(10)
    (0.1, 0.01)
    """
    steps = epochs * steps_per_epoch
    if name in ("constant", "cosine"):
        warm = max(1, round(warmup * steps))
        return lambda step: warm_up(step, steps, maximum, warm, name == "cosine")
    if name == "sgdr":
        cycles = {"base": options.base, "multiplier": options.multiplier, "minimum": options.minimum}
        return lambda step: (
            sgdr(step // steps_per_epoch, maximum=maximum, **cycles)
            * continuous_decay(step, options.final or 1.0, steps)
        )
    if name == "steps":
        rates = tuple((int(epoch), float(rate)) for epoch, rate in options or [(0, maximum)])
        return lambda step: step_list(step // steps_per_epoch, rates)
    if name == "resnet":
        return lambda step: resnet(step // steps_per_epoch, maximum)
    if name == "cyclical":
        half = max(1, round(options.half_cycle * steps_per_epoch))
        return lambda step: cyclical(step, half, maximum, options.minimum)
    if name == "one_cycle":
        # The rate of the step after the last is asked for, and not used.
        return lambda step: one_cycle(min(step, steps - 1), steps, maximum, **vars(options))
    raise ValueError(f"no schedule '{name}'")


def _cosine(step: float, steps: float, first: float, last: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * step / steps)) / 2
