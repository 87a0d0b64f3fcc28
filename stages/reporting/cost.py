"""What quality costs, as Markdown tables, and the file that says what they are of."""

import base64
import math
from pathlib import Path
from typing import Any

import pandas as pd

from kith.data.digests import sha256
from kith.errors import KithError, reading
from kith.store.provenance import proved
from stages.reporting.cells import free, table

FILES = ("cost.csv", "times.csv", "cost.png")
NOTED = "made_of.json"
AGAIN = "run `kith cost` again"
UNITS = (("d", 86_400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3))
TELLS = {"mrr": "MRR@{k}", "map": "mAP@{k}", "class_map": "class mAP@{k}", "hp": "HP@{k}"}


Table = tuple[list[str], list[list[str]]]  # the head, and the rows


def section(folder: Path, data: str, runs: Path) -> dict[str, Any]:
    """The section of the report: "runs", the tables of each by its name, "chart", PNG in base 64, and "told".

    folder: what `kith cost` has written; data: checksum of the prepared data; runs: the folder of the runs. Raises
    KithError where it is missing, or of other data or another model.
    """
    qualities, times, chart, told = read(folder, data)
    for name, known in told["runs"].items():
        model = runs / name / "model.pt"
        if not model.is_file() or sha256(model) != known:
            raise KithError(f"{folder}: was measured with another model than {model}; {AGAIN}, or set report.cost=null")
    of_runs = {
        run: tables(qualities[qualities["run"] == run], times[times["run"] == run], told["count"])
        for run in qualities["run"].unique()
    }
    return {"runs": of_runs, "chart": base64.b64encode(chart).decode(), "told": told}


def measures(qualities: pd.DataFrame, count: int) -> dict[str, str]:
    """Columns that hold anything, and what they are called.

    >>> measures(pd.DataFrame({"mrr": [None], "map": [None], "class_map": [0.5], "hp": [0.6]}), 10)
    {'class_map': 'class mAP@10', 'hp': 'HP@10'}
    """
    return {name: told.format(k=count) for name, told in TELLS.items() if qualities[name].notna().any()}


def document(qualities: pd.DataFrame, times: pd.DataFrame, told: dict[str, Any]) -> str:
    """cost.md. told: "name", "licence", "split", "count", "items", "fitted", "machine" of what was measured."""
    lines = [
        f"# What quality costs: {free(told['name'])}",
        f"{told['items']:,} pictures of the split {told['split']} are searched, {told['count']} answers are looked at. "
        f"Indexes are fitted to {told['fitted']:,} other pictures. One core of {free(told['machine'])}.",
    ]
    for run in qualities["run"].unique():
        own, its_times = (rows[rows["run"] == run] for rows in (qualities, times))
        of_run = tables(own, its_times, told["count"])
        lines += [f"## {free(run)}", *(table(*each) for each in of_run)]
    return "\n\n".join([*lines, LEGEND]) + "\n"


def tables(qualities: pd.DataFrame, times: pd.DataFrame, count: int) -> list[Table]:
    """Of one run: quality and memory, and times."""
    known = measures(qualities, count)
    rows = [
        [
            named(line),
            f"{line['bytes']:,.0f}",
            *(number(line[name], 3) for name in known),
            number(line["recall"], 3),
            *(bytes_told(line["bytes"] * n + line["fixed_bytes"]) for n in (10**6, 10**8)),
        ]
        for _, line in qualities.iterrows()
    ]
    head = ["index", "bytes an item", *known.values(), "of the exact", "10⁶ items", "10⁸ items"]
    return [(head, rows), _times(times)]


def _times(times: pd.DataFrame) -> Table:
    real = sorted(times.loc[~times["extrapolated"], "vectors"].unique())
    beyond = sorted(times.loc[times["extrapolated"], "vectors"].unique())
    sizes = [*dict.fromkeys([int(told_size(times)), *real[-1:]]), *beyond]
    heads = [f"{'≈ ' if size in beyond else ''}{power(size)}" for size in sizes]
    rows = []
    for _, lines in times.groupby(["index", "effort"], sort=False, dropna=False):
        at = lines.set_index("vectors")
        cells = [duration(at["query_ms"].get(size, math.nan) / 1000) for size in sizes]
        cells += [duration(at["build_s"].get(size, math.nan)) for size in sizes[1:]]
        rows.append([named(lines.iloc[0]), *cells])
    return ["index", *(f"query, {head}" for head in heads), *(f"build, {head}" for head in heads[1:])], rows


def told_size(times: pd.DataFrame) -> int:
    """The number of vectors that are searched, which is the one that qualities are of."""
    return int(times["searched"].iloc[0])


def named(line: "pd.Series | dict[str, Any]") -> str:
    """The index, and of a graph the effort."""
    return str(line["index"]) if pd.isna(line["effort"]) else f"{line['index']}, ef {line['effort']:.0f}"


def number(value: float, decimals: int) -> str:
    return "" if pd.isna(value) else f"{value:.{decimals}f}"


def bytes_told(count: float) -> str:
    """
    >>> bytes_told(8.4e6), bytes_told(25.6e9)
    ('8.4 MB', '26 GB')
    """
    unit, size = next((each for each in (("TB", 1e12), ("GB", 1e9)) if count >= each[1]), ("MB", 1e6))
    return f"{count / size:.{1 if count < 10 * size else 0}f} {unit}"


def duration(seconds: float) -> str:
    """
    >>> duration(0.00125), duration(2.5), duration(7200), duration(900_000)
    ('1.3 ms', '2.5 s', '2.0 h', '10 d')
    """
    if pd.isna(seconds):
        return ""
    unit, size = next((each for each in UNITS if seconds >= each[1]), UNITS[-1])
    value = seconds / size
    return f"{value:.{0 if value >= 10 else 1 if value >= 1 else 2}f} {unit}"


def power(size: int) -> str:
    """
    >>> power(1_000_000), power(1000), power(100_000)
    ('10⁶', '1,000', '100,000')
    """
    exponent = round(math.log10(size))
    return f"10{'⁰¹²³⁴⁵⁶⁷⁸⁹'[exponent]}" if exponent >= 6 and size == 10**exponent else f"{size:,}"


def read(folder: Path, data: str) -> tuple[pd.DataFrame, pd.DataFrame, bytes, dict[str, Any]]:
    """Qualities, times, the chart, and what is told of them, as `kith cost` has left them in a folder.

    data: the checksum of the prepared data. Raises KithError where they are missing, or of other data.
    """
    told = proved(folder / NOTED, [folder / name for name in FILES], "cost", data=data)
    found = []
    for name in FILES[:2]:
        with reading(folder / name, AGAIN):
            found.append(pd.read_csv(folder / name, dtype={"run": str, "index": str}))
    for key in ("runs", "split", "count", "items", "fitted", "machine"):
        if key not in told:
            raise KithError(f"{folder / NOTED}: does not say '{key}'; {AGAIN}")
    return found[0], found[1], (folder / "cost.png").read_bytes(), told


LEGEND = """\
Bytes an item are what the index holds of it in memory. Metrics look at the first answers alone: MRR and mAP of texts
that look for their picture, class mAP and hierarchical precision of pictures that look for others of their class. *Of
the exact* is the share of the first answers of an exact search that are found. A query is asked alone, on one core.
**≈ marks what is extrapolated** from the growth of times up to the largest number that was measured; there, vectors
beyond those of the data set are copies moved by noise. Memory is arithmetic. Quality at these sizes is not known: among
more items every index finds less. float32 is exact, `float32@64` its first 64 numbers; int8 has a byte a number; pq16
is product quantisation in 16 bytes; signs has a bit a number (of methods of codes: the code), itq after a rotation that
is fitted; hnsw is a graph over float32, searched with the effort ef."""
