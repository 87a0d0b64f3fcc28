"""Draw training and validation MRR of any runs in one figure."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from kith import plots
from kith.errors import KithError
from kith.plots import training as training_plots
from kith.store.provenance import TRAINED, proved
from stages import cli, files


def main(
    *,
    runs: Annotated[list[Path], typer.Option(help="Folder of a finished training; repeat it for several.")],
    out: Annotated[Path, typer.Option(help="PNG to write.")],
) -> None:
    """Draw history.parquet of the folders --runs into --out, a PNG. Runs of a method with several seeds go together."""
    repeated = len({run.name for run in runs}) < len(runs)
    history = pd.concat([read(run, run.as_posix() if repeated else run.name) for run in runs])
    files.write_bytes(out, plots.png(training_plots.evolution(history)))


def read(run: Path, name: str) -> pd.DataFrame:
    """The history of a run, its method and seed read from a name "<method>-<seed>"; any other name is a method's."""
    path = run / "history.parquet"
    if not path.exists():
        raise KithError(
            f"{path}: no such file; --runs takes folders of finished trainings, such as runs/glyphs/infonce-0"
        )
    history = files.read_parquet(path, "train again")
    if path.with_name(TRAINED).is_file():
        proved(path.with_name(TRAINED), [path], "train")
    missing = [column for column in ("epoch", "train_mrr", "val_mrr") if column not in history]
    if missing:
        raise KithError(f"{path}: no column {', '.join(missing)}: an old training; train again")
    method, _, seed = name.rpartition("-")
    known = bool(method) and seed.isdigit()
    return history.assign(method=method if known else name, seed=int(seed) if known else 0)


if __name__ == "__main__":
    cli.run(main)
