"""The only code that knows MLflow."""

from stages.tracking.runs import log_comparison, log_evaluation, log_report, log_stage, training
from stages.tracking.search import begin_search, trial

__all__ = ["begin_search", "log_comparison", "log_evaluation", "log_report", "log_stage", "training", "trial"]
