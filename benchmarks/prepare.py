"""The stages fetch and prepare on a large made-up table, or pictures alone on its way through them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from benchmarks import made_table
from benchmarks.measuring import ROOT, Program
from benchmarks.table import Case
from stages import params
from workflow import yamls

TITLE = "Fetch and prepare"
ABOUT = """A table of n rows: an id, two texts, a category, and an 8×8 PNG where there are pictures. Time and
memory are of whole processes; the limit is one that only imports the stages."""
IMPORTS = "import stages.fetch, stages.prepare"
STEPS = {
    "fetch": ["-m", "stages.fetch", "--out", "data/raw"],
    "prepare": ["-m", "stages.prepare", "--raw", "data/raw", "--out", "data/prepared"],
}
SIDE = 8


def cases(
    quick: bool,
    *,
    rows: tuple[int, ...] = (1000, 10_000, 100_000),
    kinds: tuple[str, ...] = ("pictures", "texts"),
    suffix: str = "parquet",
) -> Iterator[Case]:
    if suffix != "parquet" and "pictures" in kinds:
        raise SystemExit("pictures in the table itself need suffix=parquet; or set kinds=texts")
    for count in rows[:1] if quick else rows:
        for kind in kinds:
            with tempfile.TemporaryDirectory() as temporary:
                folder, side = Path(temporary), SIDE if kind == "pictures" else 0
                table = folder / f"made.{suffix}"
                made_table.write(table, count, side)
                study = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
                study["fetch"] = {"source": "table", "path": table.name, "columns": made_table.columns(side)}
                study["prepare"] = {"image": {"size": SIDE}}
                (folder / "params.yaml").write_text(yamls.write(params.complete(study)), encoding="utf-8")
                imports = ("imports", Program(("-c", IMPORTS), folder))
                for step, arguments in STEPS.items():
                    yield Case(f"{step}, {kind}", count, Program(tuple(arguments), folder), limit=imports)
