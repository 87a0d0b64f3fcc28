"""What metric-learning papers report: the pictures of a split look for their class among each other."""

import numpy as np

from kith.evaluation.chance import self_retrieval_chance
from kith.evaluation.classes import KnownClasses
from kith.evaluation.gallery import GallerySide
from kith.evaluation.results import QueryMetrics
from kith.metrics.metric_learning import cluster_agreement, self_retrieval

KS = (1, 2, 4, 8)


def search_themselves(images: GallerySide, known: KnownClasses, seed: int = 0) -> QueryMetrics:
    """Recall@k in percent, R-precision and MAP@R of each picture of a known class, NMI and AMI of all together; nothing
    where no two pictures share a class. seed: of the k-means clusters that NMI and AMI are of.

    >>> vectors, rows = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]]), np.arange(4)
    >>> known = KnownClasses(np.array([0, 0, 1, 1]), {}, {}, rows)
    >>> found = search_themselves(GallerySide(vectors, rows, rows, 0 * rows), known)
    >>> found.values["metric_learning/R@1"].tolist(), found.together["metric_learning/nmi"]
    ([100.0, 100.0, 100.0, 100.0], 1.0)
    """
    chosen, label = known.those_of(images)
    if len(np.unique(label)) == len(label):
        return QueryMetrics({}, chosen.groups)
    ks = [k for k in KS if k < len(label)]
    values = self_retrieval(chosen.vectors, label, ks)
    levels = self_retrieval_chance(label, ks)
    return QueryMetrics(
        values={_name(name): _scale(name) * each for name, each in values.items()},
        groups=chosen.groups,
        chance={_name(name): _scale(name) * level for name, level in levels.items()},
        together={_name(name): value for name, value in cluster_agreement(chosen.vectors, label, seed).items()},
    )


def _name(key: str) -> str:
    return f"metric_learning/{key.replace('recall', 'R')}"


def _scale(key: str) -> float:
    return 100.0 if key.startswith("recall") else 1.0
