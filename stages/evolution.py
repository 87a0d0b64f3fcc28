"""Draw what runs measured in each epoch: MRR, or another metric."""

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
    key: Annotated[str, typer.Option(help="What to draw: mrr, loss, or another metric of history.parquet.")] = "mrr",
) -> None:
    """Draw history.parquet of the folders --runs into --out, a PNG: the metric --key in training and validation, as
    far as it is measured in both. Runs of a method with several seeds go together."""
    repeated = len({run.name for run in runs}) < len(runs)
    history = pd.concat([read(run, run.as_posix() if repeated else run.name, key) for run in runs])
    files.write_bytes(out, plots.png(training_plots.evolution(history, key=key)))


def read(run: Path, name: str, key: str) -> pd.DataFrame:
    """The history of a run, its method and seed read from a name "<method>-<seed>"; any other name is a method's."""
    path = run / "history.parquet"
    if not path.exists():
        raise KithError(
            f"{path}: no such file; --runs takes folders of finished trainings, such as runs/glyphs/infonce-0"
        )
    history = files.read_parquet(path, "train again")
    if path.with_name(TRAINED).is_file():
        proved(path.with_name(TRAINED), [path], "train")
    if not training_plots.columns_of(history, key):
        raise KithError(f"{path}: measures no '{key}' in its epochs; --key takes: {_keys(history)}")
    method, _, seed = name.rpartition("-")
    known = bool(method) and seed.isdigit()
    return history.assign(method=method if known else name, seed=int(seed) if known else 0)


def _keys(history: pd.DataFrame) -> str:
    """What --key may be."""
    known = history.columns.drop("epoch", errors="ignore")
    names = dict.fromkeys(name.removeprefix("val_").removeprefix("train_") for name in known)
    return ", ".join(names) or "nothing"


if __name__ == "__main__":
    cli.run(main)
