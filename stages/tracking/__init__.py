"""The only code that knows MLflow."""

from stages.tracking.runs import log_comparison, log_evaluation, log_report, log_stage, training
from stages.tracking.search import trial

__all__ = ["log_comparison", "log_evaluation", "log_report", "log_stage", "training", "trial"]
