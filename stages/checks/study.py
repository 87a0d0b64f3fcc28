"""All that is known to be wrong with a study before it runs: data, networks, and the files that it names."""

from collections.abc import Iterator

from stages import params
from stages.checks.data import of_data, of_needs
from stages.checks.fault import Fault
from stages.checks.files import of_files
from stages.checks.label_sets import of_label_sets
from stages.checks.networks import of_networks


def faults(study: params.Params) -> list[Fault]:
    """The faults of the data, and of the methods that are run."""
    return list(dict.fromkeys(_all(study)))


def _all(study: params.Params) -> Iterator[Fault]:
    yield from of_data(study)
    yield from of_files(study)
    for name in study.study.methods:
        method, key = study.method(name), f"methods.{name}"
        yield from of_needs(study, method, key)
        yield from of_label_sets(study, method, key)
        yield from of_networks(study, method, key)
