"""Measure vectors from anywhere, or ranked lists.

By classes and a taxonomy, by pairs, by binary codes, or by judgments of relevance.
"""

import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import typer

from kith.data.cells import frame_as_csv
from kith.data.edges import Order
from kith.errors import KithError
from kith.vectors import beir, labels, measures, shared, table, trec
from kith.vectors import files as vector_files
from kith.vectors.measures import Measured, Similarity
from kith.vectors.sets import VectorSet
from kith.vectors.standard import judged, measures_of
from kith.vectors.table import Measurement
from stages import cli, files

TABLES = {".csv": table.as_csv, ".md": table.markdown}
PICTURES = (".png", ".svg")


class Asked(NamedTuple):
    """How vectors are measured."""

    classes: Path | None = None
    taxonomy: Path | None = None
    order: Order = "parent-child"
    match: Literal["id", "class"] = "id"
    similarity: Similarity = "cosine"
    ks: Sequence[int] = ()
    clip: int = 250
    qrels: Path | None = None
    measures: Sequence[str] = ()
    depth: int = 1000


class Given(NamedTuple):
    """What is measured, and what is written of it besides tables. runs: files of ranked lists in place of vectors."""

    vectors: list[str]
    queries: list[str]
    runs: list[Path]
    split: str | None
    binary: bool
    written: Path | None


def main(
    *,
    vectors: Annotated[list[str] | None, typer.Option(help="File of vectors, or a run's folder; repeat it.")] = None,
    queries: Annotated[list[str] | None, typer.Option(help="File of the vectors that ask, for all or each.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="Name of each in the table, by default its file's.")] = None,
    classes: Annotated[Path | None, typer.Option(help="Table of ids and labels, or .npy of one label a row.")] = None,
    taxonomy: Annotated[Path | None, typer.Option(help="File of edges between classes.")] = None,
    taxonomy_order: Annotated[Order | None, typer.Option(help="Of two ids in a line, by default parent-child.")] = None,
    split: Annotated[str | None, typer.Option(help="Split to measure, of files that hold several.")] = None,
    match: Annotated[Literal["id", "class"] | None, typer.Option(help="Right for a query, by default its id.")] = None,
    similarity: Annotated[Similarity | None, typer.Option(help="What makes near, by default the cosine.")] = None,
    binary: Annotated[bool, typer.Option("--binary", help="All vectors are binary codes.")] = False,
    k: Annotated[list[int] | None, typer.Option(help="Cutoff; repeat it. By default those of each metric.")] = None,
    clip: Annotated[int | None, typer.Option(help="Cutoff of AHP, by default 250.")] = None,
    qrels: Annotated[Path | None, typer.Option(help="Judgments: a file of TREC or BEIR, or a BEIR folder.")] = None,
    measure: Annotated[list[str] | None, typer.Option(help="Measure by judgments, such as nDCG@20.")] = None,
    depth: Annotated[int | None, typer.Option(help="Length of lists that are judged, by default 1000.")] = None,
    trec_run: Annotated[list[Path] | None, typer.Option(help="TREC run file to measure in place of vectors.")] = None,
    write_trec_run: Annotated[Path | None, typer.Option(help="TREC run file to write.")] = None,
    out: Annotated[list[Path] | None, typer.Option(help="Table (.csv, .md) or curves (.png) to write.")] = None,
    curves: Annotated[Path | None, typer.Option(help="CSV of HP@k or R@k for every k to write.")] = None,
) -> None:
    """Print a table of what vectors are worth, one column each.

    --vectors alone: each looks for others of its class, given by the file or by --classes; of codes also Hamming mAP.
    With --queries: each query looks for what has its id (--match class: its class). --taxonomy: also hierarchical
    precision. With --qrels: what is relevant is judged. Docs: docs/evaluate.md.
    """
    given = Given(vectors or [], queries or [], trec_run or [], split, binary, write_trec_run)
    named: dict[str, Any] = {
        "classes": classes,
        "taxonomy": taxonomy,
        "order": taxonomy_order,
        "match": match,
        "clip": clip,
    }
    named |= {"similarity": similarity, "ks": k, "qrels": qrels, "measures": measure, "depth": depth}
    asked = Asked(**{name: value for name, value in named.items() if value is not None})
    _check(asked, given)
    _mean_something(named, given)
    if qrels is not None:
        measures_of(asked.measures)
    _check_outs(out or [], curves, measured=qrels is not None or write_trec_run is None)
    called = _called([*given.vectors, *map(str, given.runs)], label or [])
    found = _judged_runs(asked, given) if given.runs else _measured(asked, given, called[0])
    if found:
        _write([Measurement(*each) for each in zip(called, found, strict=True)], out or [], curves)


def _check(asked: Asked, given: Given) -> None:
    """Raises KithError for options that do not go together."""
    judging, asking = asked.qrels is not None, bool(given.queries)
    faults = {
        "name vectors to measure: --vectors FILE": not given.vectors and not given.runs,
        "--trec-run: is measured in place of vectors; leave --vectors and --queries out": bool(given.runs)
        and bool(given.vectors or given.queries),
        "--trec-run: is measured by judgments; give --qrels": bool(given.runs) and not judging,
        "--qrels: judges what queries find; give --queries": judging and not asking and not given.runs,
        "--split: of a run file there is none; it chooses the judgments of a BEIR folder, with --qrels": bool(
            given.runs
        )
        and given.split is not None
        and asked.qrels is not None
        and not asked.qrels.is_dir(),
        "--measure: is of judgments; give --qrels": bool(asked.measures) and not judging,
        "--k: judgments have their cutoffs in --measure, such as nDCG@20": bool(asked.ks) and judging,
        "--queries: give one for all --vectors, or one for each, in their order": len(given.queries)
        not in (0, 1, len(given.vectors)),
        "--classes: queries look for what has their id; --match class lets them look for their class": asking
        and asked.match == "id"
        and asked.classes is not None
        and asked.taxonomy is None
        and not judging,
        "--match class: has a meaning with --queries alone": asked.match == "class" and (not asking or judging),
        "--similarity euclidean: has a meaning without --queries alone": asked.similarity == "euclidean" and asking,
        "--similarity dot: has a meaning with --qrels or --write-trec-run alone": asked.similarity == "dot"
        and not (judging or given.written),
        "--write-trec-run: writes what queries find in one file; give --queries, and --vectors once": bool(
            given.written and (len(given.vectors) != 1 or not asking)
        ),
        "--k, --clip and --depth: expected 1 or more": min([asked.clip, asked.depth, *asked.ks]) < 1,
    }
    for said, wrong in faults.items():
        if wrong:
            raise KithError(said)


def _mean_something(named: Mapping[str, Any], given: Given) -> None:
    """Raises KithError for an option that was given and would change nothing."""
    judging, asking, runs = named["qrels"] is not None, bool(given.queries), bool(given.runs)
    lists = judging or given.written is not None
    by_judgments = "with judgments, or where a run file is written, it means nothing; leave it out"
    alone = {
        "--classes": (named["classes"], lists, by_judgments),
        "--taxonomy": (named["taxonomy"], lists, by_judgments),
        "--match": (named["match"], not asking or judging, "it says what is right for --queries, without --qrels"),
        "--taxonomy-order": (named["order"], named["taxonomy"] is None, "it is of --taxonomy; give one"),
        "--clip": (named["clip"], named["taxonomy"] is None, "it is of AHP, which needs --taxonomy"),
        "--depth": (named["depth"], not lists, "it is of lists that are judged or written: --qrels, --write-trec-run"),
        "--similarity": (named["similarity"], runs, "a run file has its scores already"),
        "--binary": (given.binary or None, runs, "a run file has no vectors"),
        "--k": (named["ks"], given.written is not None and not judging, "a run file is written, and nothing measured"),
    }
    for option, (value, idle, why) in alone.items():
        if value is not None and idle:
            raise KithError(f"{option}: {why}")


def _check_outs(outs: Sequence[Path], curves: Path | None, measured: bool) -> None:
    if not measured and (outs or curves):
        raise KithError("--out, --curves: a run file is written, and nothing measured; give --qrels, or leave them out")
    for path in outs:
        if path.suffix.lower() not in (*TABLES, *PICTURES):
            raise KithError(f"--out {path}: unknown suffix '{path.suffix}'; take {', '.join((*TABLES, *PICTURES))}")
    if curves is not None and curves in outs:
        raise KithError(f"--curves {curves}: --out writes this file too; take another name")
    if curves is not None and curves.suffix.lower() != ".csv":
        raise KithError(f"--curves {curves}: what is written is CSV; let the name end in .csv")


def _called(names: Sequence[str], given: Sequence[str]) -> list[str]:
    """What the columns of the table are called: as asked, or by their files."""
    if given and len(given) != len(names):
        raise KithError(f"--label: {len(given)} names for {len(names)} files; give one for each, in their order")
    short = [Path(name).name for name in names]
    called = list(given) or (short if len(set(short)) == len(short) else list(names))
    if twice := [name for name in called if called.count(name) > 1]:
        raise KithError(f"--label: two columns are called '{twice[0]}'; names have to differ")
    return called


def _set(name: str, given: Given) -> VectorSet:
    path, side = vector_files.parted(name)
    if path.is_dir():
        from kith.vectors import runs

        found = runs.read(name, path, side)
    else:
        found = vector_files.read(name, given.binary)
    if found.left_out:
        _tell([f"{found.name}: {len(found.left_out):,} rows have a problem in place of a vector, and are left out"])
    return found.of_split(given.split if found.splits is not None else None)


def _measured(asked: Asked, given: Given, tag: str) -> list[Measured]:
    sets = [_set(name, given) for name in given.vectors]
    asking = [_set(name, given) for name in given.queries]
    whole = given.split is not None and all(each.splits is None for each in [*sets, *asking])
    if whole and not (asked.qrels is not None and asked.qrels.is_dir()):
        raise KithError(f"--split {given.split}: none of the files has splits; leave it out")
    measures.same_items(sets)
    if not asking:
        return _by_class(sets, asked)
    measures.same_items(asking)
    pairs = list(zip(asking * (len(sets) if len(asking) == 1 else 1), sets, strict=True))
    if asked.qrels is not None:
        return [_judged(queries, each, asked, given, tag) for queries, each in pairs]
    if given.written is not None:
        _write_run(trec.ranked(*pairs[0], asked.depth, asked.similarity == "dot"), given.written, tag)
        return []
    file = None if asked.classes is None else labels.LabelFile(asked.classes)
    if asked.match == "id":
        return [_by_pairs(*pair, asked, file) for pair in pairs]
    told = [[(each, labels.labels_of(each, file)) for each in pair] for pair in pairs]
    for pair in told:
        _tell_unknown(pair)
    if shared.several([of for pair in told for _, of in pair]):
        _check_several(asked)
        return [shared.by_shared_in(*queries, *database, ks=asked.ks) for queries, database in told]
    found = [measures.by_class_in(*queries, *database, ks=asked.ks) for queries, database in told]
    return [_in_taxonomy(each, pair, asked, "database") for each, pair in zip(found, told, strict=True)]


Labelled = tuple[VectorSet, np.ndarray]


def _by_pairs(queries: VectorSet, candidates: VectorSet, asked: Asked, file: labels.LabelFile | None) -> Measured:
    kept = measures.with_partners(queries, candidates)
    if lost := len(queries) - len(kept):
        _tell([f"{queries.name}: {lost:,} queries whose partner has no vector are left out"])
    found = measures.by_pairs(kept, candidates, ks=asked.ks)
    if asked.taxonomy is None:
        return found
    of_queries, known = labels.labels_of_pairs(kept, candidates, file)
    told = [(kept, of_queries), (candidates, known)]
    _tell_unknown(told)
    return _in_taxonomy(found, told, asked, "text_to_image")


def _in_taxonomy(found: Measured, pair: Sequence[Labelled], asked: Asked, family: str) -> Measured:
    """What was found, with how near it is in the taxonomy, if there is one."""
    if asked.taxonomy is None:
        return found
    (queries, of_queries), (candidates, known) = pair
    tree = labels.read_taxonomy(asked.taxonomy, asked.order, np.concatenate([of_queries, known]))
    both = queries, of_queries, candidates, known
    more = measures.in_taxonomy(*both, tree, family=family, ks=asked.ks, clip=asked.clip)
    return found._replace(values=found.values | more)


def _by_class(sets: Sequence[VectorSet], asked: Asked) -> list[Measured]:
    file = None if asked.classes is None else labels.LabelFile(asked.classes)
    told = [labels.labels_of(each, file) for each in sets]
    measures.same_labels(list(zip(sets, told, strict=True)))
    for each in sets:
        if each.ids is not None:
            each.unique_ids("by which items are told apart")
    if shared.several(told):
        _check_several(asked)
        _tell_unknown(list(zip(sets, told, strict=True)))
        return [shared.by_shared(each, of, ks=asked.ks) for each, of in zip(sets, told, strict=True)]
    tree = None
    if asked.taxonomy is not None:
        tree = labels.read_taxonomy(asked.taxonomy, asked.order, np.concatenate(told))
    options: dict[str, Any] = {"ks": asked.ks, "clip": asked.clip, "normalize": asked.similarity == "cosine"}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = [measures.by_class(each, of, tree, **options) for each, of in zip(sets, told, strict=True)]
    _tell_unknown(list(zip(sets, told, strict=True)))
    _tell(dict.fromkeys(str(each.message) for each in caught))
    return found


def _check_several(asked: Asked) -> None:
    """Raises KithError for what has no meaning where rows have several labels."""
    for option, wrong in {
        "--taxonomy": asked.taxonomy,
        "--similarity euclidean": asked.similarity == "euclidean",
    }.items():
        if wrong:
            raise KithError(f"{option}: is for vectors of one label each, and some have several; leave it out")


def _tell_unknown(told: Sequence[tuple[VectorSet, np.ndarray]]) -> None:
    for each, of in told:
        if unknown := np.count_nonzero(of == ""):
            _tell([f"{each.name}: {unknown:,} vectors without a label are left out"])


def _judged(queries: VectorSet, candidates: VectorSet, asked: Asked, given: Given, tag: str) -> Measured:
    assert asked.qrels is not None
    qrels = beir.judgments(asked.qrels, given.split)
    _tell(beir.prove(asked.qrels, qrels, queries, candidates))
    assert queries.ids is not None
    # As BEIR does: where queries are documents too, none is an answer to itself.
    alone = asked.qrels.is_dir()
    dot = asked.similarity == "dot"
    run = trec.ranked(queries[np.isin(queries.ids, list(qrels))], candidates, asked.depth, dot, others=alone)
    if given.written is not None:
        _write_run(run, given.written, tag)
    return Measured(len(qrels), len(candidates), judged(qrels, run, asked.measures))


def _judged_runs(asked: Asked, given: Given) -> list[Measured]:
    assert asked.qrels is not None
    qrels, found = beir.judgments(asked.qrels, given.split), []
    for path in given.runs:
        run = trec.read_run(path)
        if asked.qrels.is_dir():
            run = {query: {d: s for d, s in scores.items() if d != query} for query, scores in run.items()}
        lists = [run[query] for query in qrels if query in run]
        if not lists:
            raise KithError(f"{path}: has none of the queries that {asked.qrels} judges, such as {min(qrels)!r}")
        if less := len(qrels) - len(lists):
            _tell([f"{path}: has no list for {less:,} of the {len(qrels):,} judged queries; these count as 0"])
        cut = {query: {d: scores[d] for d in trec.order(scores)[: asked.depth]} for query, scores in run.items()}
        documents = len({document for scores in cut.values() for document in scores})
        found.append(Measured(len(qrels), documents, judged(qrels, cut, asked.measures)))
    return found


def _write_run(run: trec.Run, path: Path, tag: str) -> None:
    try:
        lines = list(trec.run_lines(run, tag))
    except KithError as error:
        raise KithError(f"--write-trec-run {path}: {error}") from None
    files.write_text(path, "".join(f"{line}\n" for line in lines))
    _tell([f"{path}: {len(lines):,} lines, of {len(run):,} queries"])


def _write(measurements: Sequence[Measurement], outs: Sequence[Path], curves: Path | None) -> None:
    print(table.text(measurements), end="")
    lines = table.curves(measurements)
    if lines.empty and (curves or any(path.suffix.lower() in PICTURES for path in outs)):
        raise KithError("curves are of HP@k, with --taxonomy, or of R@k, with --queries; these vectors have none")
    for path in outs:
        if (suffix := path.suffix.lower()) in TABLES:
            files.write_text(path, TABLES[suffix](measurements))
        else:
            files.write_bytes(path, _drawn(lines, measurements, suffix))
    if curves is not None:
        wide = lines.pivot(index="k", columns="method", values="value")
        called = [label for label, _ in measurements]
        files.write_text(curves, frame_as_csv(wide[called].reset_index()))


def _drawn(lines: pd.DataFrame, measurements: Sequence[Measurement], suffix: str) -> bytes:
    # Matplotlib takes longer than all the rest.
    from kith import plots
    from kith.plots import cutoffs, hierarchy

    draw = plots.png if suffix == ".png" else plots.svg
    if "text_to_image/mrr" in measurements[0].measured.values:
        return draw(cutoffs.recall_curves(lines.rename(columns={"value": "recall"})))
    return draw(hierarchy.precision_curves(lines.rename(columns={"value": "precision"}), int(lines["k"].max())))


def _tell(said: Iterable[str]) -> None:
    for line in said:
        print(line, file=sys.stderr)


if __name__ == "__main__":
    cli.run(main)
