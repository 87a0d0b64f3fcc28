"""Measures of information retrieval by judgments: nDCG, mean average precision and others, from ir-measures, which has
them of trec_eval."""

from collections.abc import Sequence
from typing import Any

from kith.errors import KithError, line_of, listed
from kith.vectors.trec import Qrels, Run, order

DEFAULT = ("nDCG@10", "MAP", "Recall@100", "P@10", "MRR")
# As people write them → as ir-measures does.
CALLED = {"MAP": "AP", "MRR": "RR", "RECALL": "R", "PRECISION": "P", "NDCG": "nDCG", "RPREC": "Rprec"}
PACKAGE = "needs the package ir-measures: pip install -r requirements-trec.txt"


def judged(qrels: Qrels, run: Run, names: Sequence[str] = ()) -> dict[str, float]:
    """The mean of each measure over all judged queries; one without a list has found nothing, and counts 0.

    names: measures of ir-measures that trec_eval has, such as nDCG@20, P(rel=2)@5 or Rprec; by default `DEFAULT`. The
    library is told the order of each list (`kith.vectors.trec.order`), so that no tie is left to it. Raises KithError
    for a name that is unknown.

    >>> judged({"q1": {"a": 1}}, {"q1": {"a": 0.5, "b": 0.5}}, ["MRR", "nDCG@10"])  # of equals, b comes first
    {'MRR': 0.5, 'nDCG@10': 0.6309297535714575}
    """
    measures = measures_of(names)
    ordered = {query: _by_place(order(scores)) for query, scores in run.items() if query in qrels}
    # In trec_eval's order of queries, whatever that of the files.
    kept = {query: qrels[query] for query in sorted(qrels)}
    found = _library().pytrec_eval.calc_aggregate(list(measures.values()), kept, ordered)
    return {name: float(found[measure]) for name, measure in measures.items()}


def measures_of(names: Sequence[str] = ()) -> dict[str, Any]:
    """The library's measures by these names, or the default ones. Raises KithError for a name that is unknown, and
    where the library is not installed.

    >>> list(measures_of(["MRR"]))
    ['MRR']
    """
    return {name: _measure(name) for name in tuple(names) or DEFAULT}


def _by_place(documents: list[str]) -> dict[str, float]:
    return {document: float(len(documents) - place) for place, document in enumerate(documents)}


def _measure(name: str) -> Any:
    ir_measures = _library()
    base, at, cutoff = name.partition("@")
    meant = f"{CALLED.get(base.strip().upper(), base)}{at}{cutoff}"
    try:
        measure = ir_measures.parse_measure(meant)
        supported = ir_measures.pytrec_eval.supports(measure)
    except (NameError, ValueError, AssertionError, SyntaxError, KeyError, TypeError, AttributeError) as error:
        # The library shows an object where a number is missing.
        said = "it lacks a number, as in P@10" if "object" in str(error) else line_of(error)
        raise KithError(f"--measure {name}: {said}; take one such as {listed(DEFAULT)}") from None
    if bad := [key for key, value in measure.params.items() if key in ("cutoff", "rel") and int(value) < 1]:
        raise KithError(f"--measure {name}: {bad[0]} has to be 1 or more")
    if not supported:
        raise KithError(f"--measure {name}: trec_eval does not have it; take one such as {listed(DEFAULT)}")
    return measure


def _library() -> Any:
    try:
        import ir_measures
    except ImportError:
        raise KithError(f"--qrels {PACKAGE}") from None
    return ir_measures
