"""When each job of a study ran, and what it took: a figure and a table, of the logs that Snakemake's last run has left.

python -m benchmarks.timeline --name after      reads logs/<study>/, writes reports/timeline/after.csv and after.png
"""

import argparse
import re
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from kith.errors import KithError
from kith.plots.style import COLOURS, png, styled
from stages import files, params

TOOK = re.compile(r"^took ([\d.]+) s: ([\d.]+) s of a processor, ([\d.]+) s of the system$", re.MULTILINE)
# Stages in the order of the DAG share a colour where neither is long.
STAGES = {"train": 0, "embed": 1, "evaluate": 2, "compare": 3, "report": 4, "text": 5}
OTHERS = "#666666"


def jobs(logs: Path) -> pd.DataFrame:
    """One row a job, the earliest first: stage, run, start and seconds (from the beginning of the first), and cpu, the
    seconds of a processor; of a run before the logs told them, as far as Snakemake has seen them.

    A job ended when its benchmark was written. Raises KithError where there is none.
    """
    found = []
    for path in sorted(logs.rglob("*.tsv")):
        stage, run = (path.parent.name, path.stem) if path.parent != logs else (path.stem, "")
        told = path.read_text(encoding="utf-8").splitlines()[1].split("\t")
        took = TOOK.findall(path.with_suffix(".log").read_text(encoding="utf-8", errors="replace"))
        cpu = sum(map(float, took[-1][1:])) if took else float(told[-1].replace("NA", "nan"))
        seconds = float(told[0])
        found.append(
            {"stage": stage, "run": run, "start": path.stat().st_mtime - seconds, "seconds": seconds, "cpu": cpu}
        )
    if not found:
        raise KithError(f"{logs}: no job has left a benchmark there; run the study by Snakemake")
    table = pd.DataFrame(found).sort_values(["start", "stage", "run"], ignore_index=True)
    table["start"] -= table["start"].min()
    return table.round({"start": 1, "seconds": 1, "cpu": 1})


@styled
def timeline(table: pd.DataFrame, title: str) -> Figure:
    """A bar a job by its start, in the colour of its stage; beside it its processor seconds."""
    figure = Figure((8, 1.2 + 0.22 * len(table)), layout="constrained")
    ax = figure.subplots()
    colours = [COLOURS[STAGES[stage]] if stage in STAGES else OTHERS for stage in table["stage"]]
    rows = range(len(table))
    ax.barh(rows, table["seconds"], left=table["start"], color=colours, height=0.8)
    for row, job in enumerate(table.itertuples()):
        ax.text(job.start + job.seconds, row, f" {job.cpu:.1f}", va="center", fontsize=7)
    named = [f"{job.stage} {job.run}".strip() for job in table.itertuples()]
    ax.set_yticks(rows, named, fontsize=7)
    ax.invert_yaxis()
    ax.set(xlabel="seconds; beside a bar: seconds of a processor", title=title)
    shown = [stage for stage in STAGES if stage in set(table["stage"])]
    patches = [Patch(color=COLOURS[STAGES[stage]], label=stage) for stage in shown]
    ax.legend(handles=[*patches, Patch(color=OTHERS, label="others")], loc="lower left", fontsize=7)
    return figure


def by_stage(table: pd.DataFrame) -> str:
    """Jobs, seconds and processor seconds of each stage as a Markdown table, and of all."""
    sums = table.groupby("stage", sort=False).agg(jobs=("cpu", "size"), seconds=("seconds", "sum"), cpu=("cpu", "sum"))
    lines = ["| stage | jobs | seconds | of a processor |", "|---|---|---|---|"]
    lines += [f"| {row.Index} | {row.jobs} | {row.seconds:.1f} | {row.cpu:.1f} |" for row in sums.itertuples()]
    whole = (table["start"] + table["seconds"]).max()
    return "\n".join([*lines, f"| all, from first to last | {len(table)} | {whole:.1f} | {table['cpu'].sum():.1f} |"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="now", help="of the files that are written")
    parser.add_argument("--logs", type=Path, help="default: logs/<study> of params.yaml")
    parser.add_argument("--out", type=Path, default=Path("reports/timeline"))
    options = parser.parse_args()
    logs = options.logs or Path("logs") / params.load().study.name
    table = jobs(logs)
    files.write_text(options.out / f"{options.name}.csv", table.to_csv(index=False, lineterminator="\n"))
    files.write_bytes(options.out / f"{options.name}.png", png(timeline(table, f"{logs.name}: {options.name}")))
    print(by_stage(table))


if __name__ == "__main__":
    main()
