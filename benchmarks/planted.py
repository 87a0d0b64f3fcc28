"""Faults planted into real data, and how many of them the audit finds: precision and recall of each kind.

python -m benchmarks.planted --data FOLDER [--work FOLDER] [--only flickr8k|tiny_imagenet] [--by encoders|own]
    [--out FILE]

FOLDER of --data holds flickr8k_128px_jpeg.parquet, tiny_imagenet200_32px_60k_jpeg.parquet and
tiny_imagenet200_hierarchy_mintree.tsv. Into copies of them are planted:

- near-duplicates: 2 % of the items once more in another split, the picture cropped, made brighter or darker and saved
  anew; of captions, the copy has two, the first item the others;
- wrong labels: 3 % of the items have the label of another class, drawn at random;
- swapped captions: 2 % of the items have exchanged one caption each with another one of them.

Real data have such faults of their own. What the audit finds of them counts against its precision here, so that the
true precision is higher.
"""

import argparse
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageEnhance

from tests.made_params import write_params

ROOT = Path(__file__).resolve().parents[1]
DUPLICATES, LABELS, CAPTIONS = 0.02, 0.03, 0.02
FILES = {
    "flickr8k": "flickr8k_128px_jpeg.parquet",
    "tiny_imagenet": "tiny_imagenet200_32px_60k_jpeg.parquet",
}
TREE = "tiny_imagenet200_hierarchy_mintree.tsv"
PER_CLASS = {"train": 60, "val": 12}  # of Tiny-ImageNet: 14,400 pictures, so that the encoder takes minutes


def changed(encoded: bytes, random: np.random.Generator) -> bytes:
    """The same picture as somebody else's copy: 75 to 95 % of its sides, another brightness, saved anew."""
    picture = Image.open(io.BytesIO(encoded)).convert("RGB")
    width, height = picture.size
    share = random.uniform(0.75, 0.95)
    w, h = round(width * share), round(height * share)
    left, top = int(random.integers(width - w + 1)), int(random.integers(height - h + 1))
    part = picture.crop((left, top, left + w, top + h)).resize((width, height), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    ImageEnhance.Brightness(part).enhance(random.uniform(0.7, 1.4)).save(buffer, "JPEG", quality=60)
    return buffer.getvalue()


def plant_duplicates(items: pd.DataFrame, random: np.random.Generator) -> tuple[pd.DataFrame, list[list[str]]]:
    """Copies of 2 % of the items in another split; the pairs of ids. Captions are shared out, none is in both."""
    rows = np.sort(random.choice(len(items), round(DUPLICATES * len(items)), replace=False))
    copies = items.iloc[rows].copy()
    copies["id"] = [f"{name}-copy" for name in copies["id"]]
    copies["image"] = [changed(encoded, random) for encoded in copies["image"]]
    copies["split"] = np.where(copies["split"] == "train", "test", "train")
    if "captions" in items:
        kept = items["captions"].copy()
        kept.iloc[rows] = pd.Series([list(each[:-2]) for each in items["captions"].iloc[rows]], index=kept.index[rows])
        copies["captions"] = [list(each[-2:]) for each in copies["captions"]]
        items = items.assign(captions=kept)
    pairs = [list(pair) for pair in zip(items["id"].iloc[rows], copies["id"], strict=True)]
    return pd.concat([items, copies], ignore_index=True), pairs


def plant_labels(items: pd.DataFrame, random: np.random.Generator) -> tuple[pd.DataFrame, list[str]]:
    """3 % of the items with the label of another class."""
    rows = np.sort(random.choice(len(items), round(LABELS * len(items)), replace=False))
    names, labels = np.unique(items["wnid"], return_inverse=True)
    labels[rows] = (labels[rows] + random.integers(1, len(names), len(rows))) % len(names)
    return items.assign(wnid=names[labels]), items["id"].iloc[rows].tolist()


def plant_captions(items: pd.DataFrame, random: np.random.Generator) -> tuple[pd.DataFrame, list[list[str]]]:
    """One caption of each of 2 % of the items exchanged with the next of them: pairs of id and caption."""
    rows = random.permutation(random.choice(len(items), round(CAPTIONS * len(items)), replace=False))
    texts = [list(each) for each in items["captions"]]
    places = [int(random.integers(len(texts[row]))) for row in rows]
    moved = [texts[row][place] for row, place in zip(rows, places, strict=True)]
    for row, place, text in zip(rows, places, np.roll(np.array(moved, dtype=object), 1), strict=True):
        texts[row][place] = text
    wrong = [[items["id"].iat[row], texts[row][place]] for row, place in zip(rows, places, strict=True)]
    return items.assign(captions=texts), wrong


def read(name: str, data: Path) -> pd.DataFrame:
    items = pq.read_table(data / FILES[name]).to_pandas()
    if name == "flickr8k":
        return items[items["split"] != "unused"].reset_index(drop=True)
    kept = [part.groupby("wnid", sort=True).head(PER_CLASS[split]) for split, part in items.groupby("split")]
    found = pd.concat(kept).sort_index()[["id", "image", "wnid", "split"]]
    return found.assign(split=found["split"].replace("val", "test")).reset_index(drop=True)


def plant(name: str, data: Path, folder: Path) -> None:
    """The table with its faults, what they are (truth.json), and the study."""
    random = np.random.default_rng(0)
    items, truth = read(name, data), {}
    if name == "flickr8k":
        items, truth["swapped captions"] = plant_captions(items, random)
    else:
        items, truth["wrong labels"] = plant_labels(items, random)
    items, truth["near-duplicates across splits"] = plant_duplicates(items, random)
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pandas(items, preserve_index=False), folder / "table.parquet")
    (folder / "truth.json").write_text(json.dumps(truth))
    captions = name == "flickr8k"
    columns = {"texts": ["captions"]} if captions else {"texts": [], "label": "wnid"}
    towers = {"epochs": 10, "image": {"encoder": "lite0", "tower": "linear"}}
    if captions:
        towers["text"] = {"encoder": "minilm", "tower": "linear"}
    study = {
        "study": {
            "name": name,
            "methods": ["infonce" if captions else "classifier"],
            "encoders": {"lite0": {"encoder": "lite0", "size": 128, "crop": 1.0}},
        },
        "fetch": {"source": "table", "path": "table.parquet", "columns": {"id": "id", "split": "split", **columns}},
        "prepare": {"image": {"size": 128 if captions else 32, "fit": "stretch"}},
        "train": towers,
        "audit": {"most": 100_000},
    }
    if not captions:
        study["fetch"]["taxonomy"] = str((data / TREE).resolve())
    write_params(study, folder)


def stage(folder: Path, name: str, *options: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": ""}
    subprocess.run([sys.executable, "-m", f"stages.{name}", *options], cwd=folder, env=environment, check=True)


def found_of(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / "data" / name / "audit" / "audit.parquet")


def matched(name: str, folder: Path) -> list[tuple[str, int, int, int]]:
    """Of each kind of fault: how many were planted, how many findings there are, and how many of them are planted."""
    truth, found = json.loads((folder / "truth.json").read_text()), found_of(folder, name)
    kinds = {
        "near-duplicates across splits": found[found["kind"].isin(["exact_pictures", "near_pictures"]) & found["leak"]],
        "wrong labels": found[found["kind"] == "suspect_label"],
        "swapped captions": found[found["kind"] == "wrong_pair"],
    }
    rows = []
    for fault, planted in truth.items():
        told = kinds[fault]
        if fault == "wrong labels":
            known, said = set(planted), set(told["id"])
        elif fault == "swapped captions":
            known, said = set(map(tuple, planted)), set(zip(told["id"], told["text"], strict=True))
        else:
            known = {frozenset(pair) for pair in planted}
            said = {frozenset(pair) for pair in zip(told["id"], told["other_id"], strict=True)}
        rows.append((fault, len(known), len(said), len(known & said)))
    return rows


def prepare(name: str, folder: Path, encode: bool) -> None:
    """All stages up to the features, or up to the pictures and words."""
    data = f"data/{name}"
    stage(folder, "fetch", "--out", f"{data}/raw")
    stage(folder, "prepare", "--raw", f"{data}/raw", "--out", f"{data}/prepared")
    read = {"lite0": "image"} | ({"minilm": "text"} if name == "flickr8k" else {})
    if not encode:
        return
    for encoder, side in read.items():
        options = ("--encoder", encoder, "--sides", side, "--data", f"{data}/prepared")
        stage(folder, "encode", *options, "--out", f"{data}/encoded/{encoder}")


WHAT = {
    "flickr8k": "8,000 photographs of 128 pixels with five captions each",
    "tiny_imagenet": "14,400 pictures of 32 pixels in 200 classes",
}
HEAD = """# Planted faults, and how many the audit finds

Into copies of real data faults are planted, by `python -m benchmarks.planted --data FOLDER`: 2 % near-duplicates
across splits (75 to 95 % of the sides of a picture, another brightness, saved anew); in captions 2 % swapped ones, in
labels 3 % wrong ones. Then the stage audit looks at them, with the features of `lite0` (128 pixels) and `minilm`, or
with pixels and words alone. Precision counts whatever real faults the data have as false.

flickr8k: {flickr8k}. tiny_imagenet: {tiny_imagenet}.

Two bounds were chosen after a look at the faults of Flickr8k: .9 for nearly equal pictures, and a probability of .1 for
texts of other pictures. Nothing was chosen by the wrong labels: the classifier is the one that gives the labels, wrong
ones among them, the highest likelihood.

"""
COLUMNS = ["data", "compared by", "fault", "planted", "found", "of these planted", "precision", "recall"]


def as_markdown(rows: list[list[str]]) -> str:
    lines = [COLUMNS, ["---"] * len(COLUMNS), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def merged(rows: list[list[str]], out: Path) -> list[list[str]]:
    """The rows, and those of a table before of what was not measured now; in the order of the data sets."""
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    before = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    now = {tuple(row[:2]) for row in rows}
    kept = [row for row in before if row[0] in FILES and tuple(row[:2]) not in now]
    return sorted([*kept, *rows], key=lambda row: (list(FILES).index(row[0]), list(BY).index(row[1])))


BY = {"encoders": "encoders", "pixels and words": "own"}


def measured(name: str, data: Path, folder: Path, by: str) -> list[list[str]]:
    """Plant, look, and count; one row a fault and a way to compare."""
    plant(name, data, folder)
    prepare(name, folder, by != "own")
    encoders = {side: f"data/{name}/encoded/{encoder}" for side, encoder in (("image", "lite0"), ("text", "minilm"))}
    none = ["--encoded-image", "workflow/none", "--encoded-text", "workflow/none"]
    used = ["--encoded-image", encoders["image"]]
    used += ["--encoded-text", encoders["text"] if name == "flickr8k" else "workflow/none"]
    rows = []
    for way, options in (("encoders", used), ("pixels and words", none)):
        if by not in ("both", BY[way]):
            continue
        where = ("--data", f"data/{name}/prepared", "--runs", "workflow/none", "--out", f"data/{name}/audit")
        stage(folder, "audit", *where, *options)
        for fault, planted, found, hits in matched(name, folder):
            shares = [f"{hits / max(1, found):.3f}", f"{hits / planted:.3f}"]
            rows.append([name, way, fault, f"{planted:,}", f"{found:,}", f"{hits:,}", *shares])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="Folder of the files.")
    parser.add_argument("--work", type=Path, default=Path("planted"), help="Folder to work in; features are kept.")
    parser.add_argument("--only", choices=list(FILES), action="append", help="One of the data sets.")
    parser.add_argument("--by", choices=["both", *BY.values()], default="both", help="Encoders, or pixels and words.")
    parser.add_argument(
        "--out", type=Path, help="Markdown file with the table: rows that are measured now are replaced."
    )
    given = parser.parse_args()
    rows = []
    for name in given.only or FILES:
        rows += measured(name, given.data, given.work.resolve() / name, given.by)
        print(as_markdown(rows), flush=True)
        if given.out:
            text = HEAD.format(**WHAT) + as_markdown(merged(rows, given.out))
            given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
