"""Whether what a study asks for fits items with several labels each."""

from collections.abc import Iterator

from kith.data import sources
from kith.losses import of_one_label
from stages import params
from stages.checks.fault import Fault
from stages.params.method import Method

ONE = "needs items of one label each, and these have several"


def of_label_sets(study: params.Params, method: Method, key: str) -> Iterator[Fault]:
    """What a method, and the evaluation, ask for."""
    train, taught = method.train, method.train.epochs > 0
    if "labels" not in sources.find(study.fetch.source).holds(study.fetch.model_dump()):
        if taught and train.select == "map":
            yield Fault(f"{key}.train.select", "map is of items with several labels each; take ahp, mrr or accuracy")
        return
    for name in of_one_label(method.losses.terms()):
        yield Fault(f"{key}.losses.{name}", f"{ONE}; take a loss of pairs, such as dpsh, or binary_cross_entropy")
    if taught and train.sampler != "shuffled" and method.needs.classes:
        yield Fault(f"{key}.train.sampler", f"{train.sampler} {ONE}; set it to shuffled")
    if taught and train.select in ("ahp", "accuracy"):
        yield Fault(f"{key}.train.select", f"{train.select} {ONE}; take map, mrr or loss")
    for name in ("svm", "metric_learning"):
        if getattr(study.evaluate, name):
            yield Fault(f"evaluate.{name}", f"{ONE}; leave it out")
