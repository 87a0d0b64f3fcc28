"""Find faults in the data: copies, wrong labels, odd pictures.

Duplicates and leaks between splits, suspect labels, texts of other pictures, odd pictures and texts.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
import typer

from kith.audit.cost import costs
from kith.audit.every import CHECKS
from kith.audit.findings import KINDS, AuditFindings, table
from kith.audit.subject import AuditOptions, Subject
from kith.data.cells import frame_as_csv
from kith.encoders.names import SIDES
from kith.errors import KithError
from kith.progress import Progress
from kith.store.encoded import FEATURES, Encoded
from kith.store.photos import pictures
from kith.store.prepared import Prepared
from kith.store.provenance import NOTE, note, parameters, proved
from stages import cli, files, params
from stages.params.auditing import Audit
from stages.params.inputs import NONE, named

WRITTEN = ("audit.parquet", "audit.csv", "summary.json", "costs.csv", NOTE)
NOWHERE = Path(NONE)


def main(
    *,
    data: Annotated[Path | None, typer.Option(help="Prepared data, by default those of the current study.")] = None,
    encoded_image: Annotated[
        Path | None, typer.Option(help="Folder of an encoder's features of pictures, by default the first one there.")
    ] = None,
    encoded_text: Annotated[Path | None, typer.Option(help="The same of texts.")] = None,
    runs: Annotated[
        Path | None, typer.Option(help="Folder of evaluated runs, for what faults cost; by default the study's.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write, by default audit beside the data.")] = None,
) -> None:
    """Write audit.parquet, audit.csv and summary.json, and costs.csv where there are runs; print what was found.

    Encoders are used where their features are there: else pictures are compared by their pixels, texts by their words.
    """
    torch.set_num_threads(1)
    prepared, options, most = Prepared(data or _current()), _options(), _audit().most
    if "labels" in prepared.table:
        print("audit: items have several labels each; these are not checked", file=sys.stderr)
    given = {"image": encoded_image, "text": encoded_text}
    known = {side: _encoded(prepared, side, given[side]) for side in SIDES}
    encoded: dict[str, Encoded] = {side: each for side, each in known.items() if each is not None}
    features = {side: each.features(side) for side, each in encoded.items()}
    subject = Subject(prepared, pictures(prepared), features, options)
    found: list[AuditFindings] = []
    with Progress("audit", len(CHECKS), "checks") as progress:
        for check in CHECKS.values():
            found.extend(check(subject))
            progress.step()
    rows = table(found, prepared.table, prepared.texts, most)
    summary = _summary(found, rows)
    place = _runs(prepared, runs)
    cost = pd.DataFrame() if place is None else _costs(rows, prepared, place)
    with files.replacing_folder(out or prepared.folder.parent / "audit", *WRITTEN) as folder:
        rows.to_parquet(folder / "audit.parquet", index=False)
        files.write_text(folder / "audit.csv", frame_as_csv(rows))
        files.write_json(folder / "summary.json", summary)
        if len(cost):
            files.write_text(folder / "costs.csv", frame_as_csv(cost))
        made_of: dict[str, Any] = {"data": prepared.checksum, "parameters": parameters([*options, most])}
        made_of["encoders"] = {side: each.reference(side) for side, each in encoded.items()}
        files.write_json(folder / NOTE, note(sorted(folder.iterdir()), **made_of))
    _tell(_compared(prepared, encoded), summary, cost, out or prepared.folder.parent / "audit")


def _current() -> Path:
    """The prepared data of the current study."""
    return Path("data") / params.load().study.name / "prepared"


def _audit() -> Audit:
    """What params.yaml says of the audit; without that, its defaults."""
    return (params.load().audit if params.PARAMS.exists() else None) or Audit()


def _options() -> AuditOptions:
    audit = _audit()
    longest = params.load().train.text.max_tokens if params.PARAMS.exists() else None
    return AuditOptions(audit.near_pictures, audit.near_texts, audit.folds, longest, audit.seed)


def _encoded(data: Prepared, side: str, given: Path | None) -> Encoded | None:
    """The features that are given, or else the first that there are of this side beside the data."""
    if given is not None:
        there = named(given)
        return None if there is None else Encoded(there, data)
    beside = sorted((data.folder.parent / "encoded").glob(f"*/{FEATURES[side]}"))
    return Encoded(beside[0].parent, data) if beside else None


def _runs(data: Prepared, given: Path | None) -> Path | None:
    """The folder of the runs: the one that is given, or where the pipeline puts those of the data, if it is there."""
    if given is not None:
        return named(given)
    beside = data.folder.parent.parent.parent / "runs" / data.folder.parent.name
    return beside if any(beside.glob("*/queries.parquet")) else None


def _summary(found: list[AuditFindings], rows: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Of each kind that was found: how many, how many of them are listed, and how many of those are leaks."""
    totals = {kind: sum(len(each) for each in found if each.kind == kind) for kind in KINDS}
    listed, leaks = rows["kind"].value_counts(), rows["kind"][rows["leak"]].value_counts()
    return {
        kind: {"found": total, "listed": int(listed.get(kind, 0)), "leaks": int(leaks.get(kind, 0))}
        for kind, total in totals.items()
        if total
    }


def _costs(rows: pd.DataFrame, data: Prepared, runs: Path) -> pd.DataFrame:
    """What the findings cost each run that was evaluated on these data."""
    parts = []
    for queries in sorted(runs.glob("*/queries.parquet")):
        proved(queries.parent / "evaluated.json", [queries], "evaluate", data=data)
        parts.append(costs(rows, files.read_parquet(queries)).assign(run=queries.parent.name))
    if not parts:
        raise KithError(f"{runs}: no run there was evaluated; run the evaluate stage, or leave --runs out")
    return pd.concat(parts, ignore_index=True)


def _compared(data: Prepared, encoded: dict[str, Encoded]) -> str:
    """By what pictures and texts were compared, of those that there are. Of texts alone, the side of pictures is what
    an encoder has read of each item."""
    by = {side: each.name for side, each in encoded.items()}
    if data.of_texts:
        items = f", items by {by['image']}" if "image" in by else ""
        return f"Texts compared by {by.get('text', 'words')}{items}."
    pictures = f"Pictures compared by {by.get('image', 'pixels')}"
    return f"{pictures}, texts by {by.get('text', 'words')}." if data.texts else f"{pictures}."


def _tell(compared: str, summary: dict[str, dict[str, int]], cost: pd.DataFrame, out: Path) -> None:
    print(compared)
    if not summary:
        print("Nothing was found.")
    for kind, counts in summary.items():
        told = [f"{counts['found']:,} {KINDS[kind].title}"]
        if counts["leaks"]:
            told.append(f"{counts['leaks']:,} of them between train and another split")
        print(f"{'; '.join(told)}: {KINDS[kind].advice}")
    for line in _cost_lines(cost):
        print(line)
    print(f"All of them: {out / 'audit.csv'}")


def _cost_lines(cost: pd.DataFrame) -> list[str]:
    """What leaving out the affected test queries changes, of the run where it changes the MRR most."""
    if not len(cost):
        return []
    change = (cost["mrr_without"] - cost["mrr"]).abs()
    lines = []
    for kind, part in cost[np.isfinite(change) & cost["split"].str.startswith("test")].groupby("kind", sort=False):
        row = part.loc[change[part.index].idxmax()]
        lines.append(
            f"{KINDS[kind].title}: {row['affected']:,} of {row['queries']:,} queries ({row['run']}, {row['split']}, "
            f"{row['direction'].replace('_', ' ')}): MRR {row['mrr']:.3f}, without them {row['mrr_without']:.3f}"
        )
    return lines


if __name__ == "__main__":
    cli.run(main)
