"""Folders as BEIR has them: corpus.jsonl, queries.jsonl and qrels/<split>.tsv; vectors come in files of their own."""

from pathlib import Path

from kith.errors import KithError, listed
from kith.vectors.sets import VectorSet
from kith.vectors.trec import Qrels, read_ids, read_qrels


def judgments(path: Path, split: str | None) -> Qrels:
    """Those of a file, or of the split (by default test) of a folder. Raises KithError that names those there are."""
    if not path.is_dir():
        return read_qrels(path)
    file = path / "qrels" / f"{split or 'test'}.tsv"
    if not file.is_file():
        there = sorted(each.stem for each in path.glob("qrels/*.tsv"))
        known = f"it has {listed(there)}: choose with --split" if there else "a BEIR folder has qrels/test.tsv"
        raise KithError(f"{file}: no such file; {known}")
    return read_qrels(file)


def prove(path: Path, qrels: Qrels, queries: VectorSet, candidates: VectorSet) -> list[str]:
    """What there is to say of judgments and vectors that belong together all the same.

    Raises KithError where they do not: a judged query without a vector, a document of a folder without one, and a
    vector that is no document of it.
    """
    known = set(candidates.unique_ids("by which judgments name them").tolist())
    asked = set(queries.unique_ids("by which judgments name them").tolist())
    if without := sorted(qrels.keys() - asked):
        raise KithError(f"{queries.name}: has no vector for {listed(without)}, which {path} judges; add it")
    if path.is_dir():
        _prove_corpus(path, known, candidates)
    documents = {document for levels in qrels.values() for document in levels}
    lost = documents - known
    if lost == documents:
        raise KithError(f"{candidates.name}: has none of the documents that {path} judges, such as {min(documents)!r}")
    said = [f"{path}: judges {len(lost):,} documents without a vector, which cannot be found"] if lost else []
    spare = len(asked - qrels.keys())
    return said + ([f"{queries.name}: {spare:,} queries are not judged, and left out"] if spare else [])


def _prove_corpus(path: Path, known: set[str], candidates: VectorSet) -> None:
    corpus = set(read_ids(path / "corpus.jsonl"))
    if without := sorted(corpus - known):
        raise KithError(f"{candidates.name}: has no vector for {listed(without)} of {path / 'corpus.jsonl'}; add it")
    if strange := sorted(known - corpus):
        raise KithError(f"{candidates.name}: {listed(strange)} is not in {path / 'corpus.jsonl'}; leave it out")
