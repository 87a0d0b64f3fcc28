"""The figures of metric-learning papers: the pictures of a split look for their class among each other."""

import numpy as np

from kith.evaluation.chance import self_retrieval_chance
from kith.evaluation.gallery import Side
from kith.metrics.metric_learning import cluster_agreement, self_retrieval
from stages import params
from stages.evaluate_classes import KnownClasses
from stages.evaluate_codes import Found

KS = (1, 2, 4, 8)
GROUP = "metric_learning"


def search(images: Side, known: KnownClasses, options: params.Evaluate) -> Found:
    """Recall@k in percent, R-precision and MAP@R of each picture of a known class, NMI and AMI of all together;
    nothing where params.yaml does not ask for them, or where no two pictures share a class."""
    chosen, label = known.those_of(images)
    found = Found({}, chosen.groups, {}, {}, {})
    if not options.metric_learning or len(np.unique(label)) == len(label):
        return found
    ks = [k for k in KS if k < len(label)]
    figures = self_retrieval(chosen.vectors, label, ks)
    levels = self_retrieval_chance(label, ks)
    agreement = cluster_agreement(chosen.vectors, label, options.seed)
    return found._replace(
        values={_name(name): _scale(name) * values for name, values in figures.items()},
        together={_name(name): value for name, value in agreement.items()},
        chance={_name(name): _scale(name) * level for name, level in levels.items()},
    )


def _name(figure: str) -> str:
    return f"{GROUP}/{figure.replace('recall', 'R')}"


def _scale(figure: str) -> float:
    return 100.0 if figure.startswith("recall") else 1.0
