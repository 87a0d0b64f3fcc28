"""Judgments (qrels) and ranked lists (runs) in the formats of TREC, and judgments in that of BEIR.

The one order of a ranked list: by falling score, in single precision, and, of equal scores, by falling id. trec_eval
sorts a run in just this way, whatever ranks the file has; so a run that is written here has the same order there.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from kith.data.encodings import text
from kith.errors import KithError, reading
from kith.similarity import similarity_blocks, unit_rows
from kith.vectors.measures import same_dimensions
from kith.vectors.sets import VectorSet

Qrels = dict[str, dict[str, int]]  # query → document → how relevant it is
Run = dict[str, dict[str, float]]  # query → document → its score
HEAD = ["query-id", "corpus-id", "score"]  # of BEIR's files
SEEN = "stands here for the second time; keep one of the lines"


def read_qrels(path: Path) -> Qrels:
    """The judgments in a file: query, iteration, document and relevance a line, as TREC writes them, or BEIR's table
    with tabs and the head query-id, corpus-id, score.

    Raises KithError that names the line.
    """
    qrels: Qrels = {}
    for number, cells in _lines(path):
        if number == 1 and cells == HEAD:
            continue
        if len(cells) not in (3, 4):
            raise _fault(path, number, f"expected query, 0, document and relevance; found {len(cells)} words")
        query, document, relevance = cells[0], cells[-2], cells[-1]
        try:
            level = int(relevance)
        except ValueError:
            raise _fault(path, number, f"the relevance '{relevance}' is no whole number") from None
        if document in qrels.setdefault(query, {}):
            raise _fault(path, number, f"document '{document}' of query '{query}' {SEEN}")
        qrels[query][document] = level
    if not qrels:
        raise KithError(f"{path}: has no judgments")
    return qrels


def read_run(path: Path) -> Run:
    """The ranked lists in a TREC run file: query, Q0, document, rank, score and a name a line. Only scores count, not
    ranks: see above. Raises KithError that names the line."""
    run: Run = {}
    for number, cells in _lines(path):
        if len(cells) != 6:
            raise _fault(path, number, f"expected query, Q0, document, rank, score and name; found {len(cells)} words")
        query, document, said = cells[0], cells[2], cells[4]
        try:
            score = float(said)
        except ValueError:
            score = np.nan
        if not np.isfinite(score):
            raise _fault(path, number, f"the score '{said}' is no number")
        if document in run.setdefault(query, {}):
            raise _fault(path, number, f"document '{document}' of query '{query}' {SEEN}")
        run[query][document] = score
    return run


def order(scores: Mapping[str, float]) -> list[str]:
    """Documents by falling score in single precision, then by falling id.

    >>> order({"a": 0.5, "b": 0.5, "c": 0.5 + 1e-9, "d": 0.9})
    ['d', 'c', 'b', 'a']
    """
    return sorted(scores, key=lambda document: (np.float32(scores[document]), document), reverse=True)


def ranked(
    queries: VectorSet, candidates: VectorSet, depth: int = 1000, dot: bool = False, others: bool = False
) -> Run:
    """The `depth` best candidates of each query, by cosine or by the dot product, in the order said above.

    others: leave out the candidate of the query's own id, as BEIR does. Raises KithError for ids that are missing or
    repeated.

    >>> texts = VectorSet("q.npz", np.eye(2), False, ids=np.array(["q1", "q2"]))
    >>> pages = VectorSet("d.npz", np.eye(2), False, ids=np.array(["a", "b"]))
    >>> ranked(texts, pages, depth=1)
    {'q1': {'a': 1.0}, 'q2': {'b': 1.0}}
    """
    same_dimensions(queries, candidates)
    asked, known = (each.unique_ids("by which judgments name them") for each in (queries, candidates))
    falling = np.argsort(known, kind="stable")[::-1]
    plain = dot or queries.coded  # of codes, dot products are exact, and in the order of cosines
    rows = [each.vectors * 1.0 if plain else unit_rows(each.vectors) for each in (queries, candidates)]
    run: Run = {}
    names = known[falling]
    for block, scores in similarity_blocks(rows[0], rows[1][falling]):
        if not np.isfinite(scores).all():
            raise KithError(f"{queries.name}, {candidates.name}: a dot product is too large a number; take cosines")
        for query, row in zip(asked[block].tolist(), scores.astype(np.float32), strict=True):
            best = [place for place in _best(row, depth + others) if not (others and names[place] == query)][:depth]
            run[query] = {str(names[place]): float(row[place]) for place in best}
    return run


def _best(scores: np.ndarray, depth: int) -> np.ndarray:
    """Places of the highest scores, of equals the first."""
    if depth < len(scores):
        least = np.partition(scores, len(scores) - depth)[len(scores) - depth]
        among = np.flatnonzero(scores >= least)
    else:
        among = np.arange(len(scores))
    return among[np.argsort(-scores[among], kind="stable")][:depth]


def run_lines(run: Run, tag: str) -> Iterator[str]:
    """The lines of a TREC run file; a score has as many digits as single precision needs to be read back.

    Raises KithError for ids with white space in them, which the format cannot hold.

    >>> list(run_lines({"q1": {"a": 0.1}}, "mine"))
    ['q1 Q0 a 1 0.1 mine']
    """
    name = "_".join(tag.split()) or "kith"
    for query, scores in run.items():
        for place, document in enumerate(order(scores), start=1):
            if bad := next((each for each in (query, document) if len(each.split()) != 1), None):
                raise KithError(f"the id '{bad}' is empty or has white space in it, which a TREC run file cannot hold")
            yield f"{query} Q0 {document} {place} {np.float32(scores[document])!s} {name}"


def read_ids(path: Path) -> list[str]:
    """The field _id of every line of one of BEIR's .jsonl files. Raises KithError that names the line."""
    found = []
    with reading(path, "a BEIR folder has corpus.jsonl, queries.jsonl and qrels/test.tsv"), text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    found.append(str(json.loads(line)["_id"]))
                except (ValueError, KeyError, TypeError):
                    raise _fault(path, number, "expected an object in braces with the field _id") from None
    return found


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(number, words) of the lines that are not blank; with tabs, words are what stands between them."""
    there = False
    with reading(path, "qrels and runs are text files"), text(path) as lines:
        for number, line in enumerate(lines, start=1):
            cells = line.strip("\r\n").split("\t") if line.count("\t") == 2 else line.split()
            if line.strip():
                there = True
                yield number, [cell.strip() for cell in cells]
    if not there:
        raise KithError(f"{path}: is empty")


def _fault(path: Path, number: int, said: str) -> KithError:
    return KithError(f"{path}: line {number}: {said}")
