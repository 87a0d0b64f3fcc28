"""Does training through the CCA layer stay finite? Small towers on the current study's data, several seeds.

Run it where the stages before training have run, for instance on fewer characters of the default study:

    kith study glyphs --set prepare.glyphs.characters=2500 --set prepare.glyphs.test=400 --set prepare.glyphs.val=300
    dvc repro neighbors class_embedding
    python -m benchmarks.cca_stability

Each line is one training, without any safeguard (no clipping, no refinement): epochs that were finished, the range of
the training loss and the largest jump of it from one epoch to the next, the first and best validation MRR.
"""

import argparse
import math
import tempfile
from contextlib import chdir
from pathlib import Path

import pandas as pd
import yaml

from kith.errors import KithError
from stages import params, train
from stages.tracking import runs

SIZES = ((32, 100), (128, 1000))  # dim, batch: the audio-score and the IAPR TC-12 experiment of Dorfer et al., 2018
METHODS = ("ccal_cont", "ccal_tno")
TOWERS = {
    "image": {"tower": "cnn", "width": 8},
    "text": {"tower": "tfidf", "hidden": 256, "layers": 1, "max_words": 2048},
}
RECIPE = {"optimizer": "adam", "lr": 2e-3, "weight_decay": 0.0, "l2": 1e-5, "schedule": "constant", "threads": 1}


def study(epochs: int) -> tuple[dict, list[tuple[str, str]]]:
    """The current study with one method for each preset and size; the names of preset and method."""
    content = yaml.safe_load(params.PARAMS.read_text(encoding="utf-8"))
    methods, names = {}, []
    for preset in METHODS:
        for dim, batch in SIZES:
            name = f"{preset}_{dim}_{batch}"
            methods[name] = {"preset": preset, "train": {**TOWERS, **RECIPE, "dim": dim, "batch_size": batch}}
            names.append((preset, name))
    shared = {key: content["train"][key] for key in ("items_per_group",) if key in content["train"]}
    content |= {"methods": methods, "train": {"epochs": epochs, **shared}, "expect": {}}
    content["study"]["methods"] = [name for _, name in names]
    return content, names


def describe(history: pd.DataFrame) -> str:
    loss, mrr = history["train_loss"], history["val_mrr"]
    finite = all(math.isfinite(value) for value in history.to_numpy().ravel())
    jump = loss.diff().max() if len(loss) > 1 else math.nan
    return (
        f"{len(history):6}  {'yes' if finite else 'NO':>6}  {loss.min():8.3f} … {loss.max():6.3f}  {jump:7.3f}  "
        f"{mrr.iloc[0]:6.3f} → {mrr.max():5.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    content, names = study(given.epochs)
    made = Path("data", content["study"]["name"]).resolve()
    names_of_inputs = ("text", "neighbors", "taxonomy", "class_embedding")
    data = {"data": made / "prepared"} | {name: made / name for name in names_of_inputs}
    runs.available = lambda: False
    outputs = {"model": Path("model.pt"), "trained": Path("trained.json")}
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        params.PARAMS.write_text(yaml.safe_dump(content), encoding="utf-8")
        lines = []
        for preset, name in names:
            size = "/".join(name.split("_")[-2:])
            for seed in range(given.seeds):
                history = Path(f"{name}-{seed}.parquet")
                try:
                    train.main(method=name, seed=seed, **data, **outputs, history=history)
                    told = describe(pd.read_parquet(history))
                except KithError as error:
                    told = str(error)
                lines.append(f"{preset:10}  {size:>8}  {seed:4}  {told}")
    print(f"{'method':10}  {'dim/batch':>8}  seed  epochs  finite  {'training loss':>18}  largest rise  val MRR")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
