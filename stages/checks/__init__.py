"""What keeps a study from working, as far as it is known before anything runs."""

from stages.checks.study import Fault, faults

__all__ = ["Fault", "faults"]
