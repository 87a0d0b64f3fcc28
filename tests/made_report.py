"""A small finished study for the report: embeddings made up, evaluated and compared by the real stages."""

import contextlib
import unicodedata
from pathlib import Path
from unittest import mock

import matplotlib
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageFont

from kith import plots
from kith.data.digests import sha256
from stages import compare, evaluate, tracking
from stages.files import read_json, write_json, write_npy, write_npz
from stages.reporting import spaces
from tests.made_notes import seal, seal_run
from tests.made_params import write_params
from tests.made_runs import make_taxonomy

METHODS = {"infonce": 0.9, "neighborhood": 1.2, "vsepp": 2.0}  # method → noise of its embeddings
PARAMS = {
    "fetch": {"source": "glyphs", "path": "kith/data/glyphs.py"},
    **{name: {} for name in ("prepare", "text", "neighbors", "taxonomy", "class_embedding", "embed")},
    "train": {"epochs": 8, "batch_size": 32},
    "methods": {name: {} for name in METHODS},
    "evaluate": {"bootstrap": 200},
    "compare": {"permutations": 200},
    "report": {"queries": 4, "tsne": 30, "seed": 0},
    "expect": {"infonce": {"test/mean/mrr": {"value": 0.99, "tolerance": 0.01, "source": "wishful <thinking>"}}},
}

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)


def without_figures(patch: pytest.MonkeyPatch) -> None:
    """Of a report whose figures are looked at nowhere: they are most of its time."""
    patch.setattr(plots, "png", lambda figure: PIXEL)
    for name in ("one_run", "all_methods"):
        patch.setattr(spaces, name, lambda *_: {})


def make_study(
    root: Path,
    n: int = 100,
    seeds: tuple[int, ...] = (0,),
    texts_each: int = 1,
    features: tuple[tuple[int, ...], tuple[int, ...]] | None = None,
) -> dict[str, Path]:
    """Write a study of n glyphs, two fifths of them for test; returns what `stages.report.main` takes.

    features: shapes of an item's two views in place of pictures and texts; then nothing says what items mean.
    """
    rng = np.random.default_rng(0)
    study = {"name": "glyphs", "methods": list(METHODS), "seeds": list(seeds)}
    write_params({"study": study, **PARAMS}, root)
    items, pictures = glyphs(n, texts_each)
    meanings = unit(rng.normal(size=(n, 16)))
    prepare(root, items, pictures, meanings)
    find_neighbors(root / "data/glyphs/neighbors", items, meanings)
    if features:
        items = make_features(root, items, dict(zip(("image", "text"), features, strict=True)), rng)
    make_taxonomy(root, items, "glyphs")
    seal(root, "glyphs")
    silent = mock.patch.multiple(tracking, log_evaluation=mock.DEFAULT, log_comparison=mock.DEFAULT)
    with contextlib.chdir(root), silent:
        for method, noise in METHODS.items():
            for seed in seeds:
                run(Path(f"runs/glyphs/{method}-{seed}"), method, seed, items, meanings, noise, rng)
        compare.main(
            data=Path("data/glyphs/prepared"),
            neighbors=Path("data/glyphs/neighbors"),
            runs=Path("runs/glyphs"),
            out=Path("reports/glyphs"),
        )
    return paths(root)


def paths(root: Path) -> dict[str, Path]:
    compared = root / "reports/glyphs"
    return {
        "data": root / "data/glyphs/prepared",
        "neighbors": root / "data/glyphs/neighbors",
        "taxonomy": root / "data/glyphs/taxonomy",
        "runs": root / "runs/glyphs",
        "compared": compared,
        "figures": compared / "figures",
        "page": compared / "report.html",
    }


def glyphs(n: int, texts_each: int) -> tuple[pd.DataFrame, np.ndarray]:
    """n letters, most with accents: items.parquet, and 32×32 pictures."""
    characters = [c for c in map(chr, range(0xC0, 0x500)) if c.isalpha()][:n]
    fonts = Path(matplotlib.get_data_path()) / "fonts/ttf"
    font = ImageFont.truetype(str(fonts / "DejaVuSans.ttf"), 24)
    base = [unicodedata.normalize("NFD", c)[0].lower() for c in characters]
    more = ["the same letter in other words", "and once more"]
    items = pd.DataFrame({"id": [f"U+{ord(c):04X}" for c in characters]})
    items["split"] = np.array(["test", "test", "val", "train", "train"])[np.arange(n) % 5]
    items["label"] = pd.factorize(pd.Series(base))[0]
    items["label_name"] = base
    items["texts"] = [[unicodedata.name(c).lower(), *more][:texts_each] for c in characters]
    items["group"] = items["id"]
    items["image_row"] = np.arange(n)
    return items, np.stack([draw(c, font) for c in characters])


def draw(character: str, font: ImageFont.FreeTypeFont) -> np.ndarray:
    picture = Image.new("L", (32, 32), 255)
    ImageDraw.Draw(picture).text((16, 17), character, fill=0, font=font, anchor="mm")
    return np.asarray(picture)[..., None]


def prepare(root: Path, items: pd.DataFrame, pictures: np.ndarray, meanings: np.ndarray) -> None:
    folder = root / "data/glyphs/prepared"
    folder.mkdir(parents=True)
    items.to_parquet(folder / "items.parquet")
    write_npy(folder / "images.npy", pictures)
    write_npy(root / "data/glyphs/text/vectors.npy", meanings)
    edges = [("letter", f"script-{i}", f"script {i}") for i in range(3)]
    edges += [(f"script-{i % 3}", name, name) for i, name in enumerate(dict.fromkeys(items["label_name"]))]
    pd.DataFrame(edges, columns=["parent", "child", "name"]).to_parquet(folder / "taxonomy.parquet")
    write_json(folder / "dataset.json", describe(items, pictures))


def describe(items: pd.DataFrame, pictures: np.ndarray) -> dict:
    counts = items["split"].value_counts(sort=False).to_dict()
    return {
        "name": "glyphs",
        "source": "characters of the fonts that come with matplotlib",
        "counts": counts,
        "groups": counts,
        "texts": int(items["texts"].map(len).sum()),
        "image": dict(zip(("height", "width", "channels"), pictures.shape[1:], strict=True)),
        "mean": [0.9],
        "std": [0.2],
        "labels": items["label"].nunique(),
        "licence": "Bitstream Vera licence; <b>free</b>",
        "checksums": {"taxonomy.parquet": "0f" * 32, "images.npy": "a7" * 32},
        "skipped": [{"row": 3, "id": "U+00AD", "field": "image", "problem": "blank"}],
    }


def make_features(
    root: Path, items: pd.DataFrame, shapes: dict[str, tuple[int, ...]], rng: np.random.Generator
) -> pd.DataFrame:
    """Put features in the place of pictures, texts, labels, meanings and neighbours; returns the items."""
    data = root / "data/glyphs/prepared"
    items = items.assign(texts=[[] for _ in range(len(items))], label=-1, label_name="")
    items.to_parquet(data / "items.parquet")
    (data / "images.npy").unlink()
    described = {}
    for side, shape in shapes.items():
        write_npy(data / f"features_{side}.npy", rng.normal(size=(len(items), *shape)).astype(np.float32))
        described[side] = {"shape": list(shape), "shift": 0.0, "scale": 1.0}
    taxonomy = pd.read_parquet(data / "taxonomy.parquet")
    taxonomy.iloc[:0].to_parquet(data / "taxonomy.parquet")
    changed = {"texts": 0, "labels": 0, "image": None, "mean": None, "std": None, "features": described}
    write_json(data / "dataset.json", read_json(data / "dataset.json") | changed)
    write_npy(root / "data/glyphs/text/vectors.npy", np.zeros((len(items), 1), dtype=np.float32))
    neighbors = pd.read_parquet(root / "data/glyphs/neighbors/neighbors.parquet")
    neighbors.iloc[:0].to_parquet(root / "data/glyphs/neighbors/neighbors.parquet")
    unknown = int((items["split"] == "train").sum())
    write_json(root / "data/glyphs/neighbors/quality.json", {"recall": 1.0, "without_neighbors": unknown})
    return items


def find_neighbors(folder: Path, items: pd.DataFrame, meanings: np.ndarray) -> None:
    """The five nearest training items of each."""
    folder.mkdir(parents=True)
    train = np.flatnonzero(items["split"] == "train")
    similarity = meanings[train] @ meanings[train].T
    near = np.argsort(-similarity, axis=1)[:, 1:6]
    table = pd.DataFrame({"row": np.repeat(train, 5), "rank": np.tile(np.arange(5, dtype=np.int32), len(train))})
    table["neighbor"] = train[near].ravel()
    table["similarity"] = np.take_along_axis(similarity, near, axis=1).ravel()
    table.to_parquet(folder / "neighbors.parquet")
    quality = {
        "recall": 1.0,
        "without_neighbors": 0,
        "label_agreement@10": 0.412,
        "label_agreement_by_chance": 0.05,
    }
    write_json(folder / "quality.json", quality)


def run(
    folder: Path,
    method: str,
    seed: int,
    items: pd.DataFrame,
    meanings: np.ndarray,
    noise: float,
    rng: np.random.Generator,
) -> None:
    """Embeddings that are `meanings` with noise, and what follows from them."""
    folder.mkdir(parents=True)
    held_out = np.flatnonzero(items["split"] != "train")
    counts = items["texts"].map(len).iloc[held_out].clip(lower=1)  # without texts, features
    rows = {"image": held_out, "text": np.repeat(held_out, counts)}
    np.savez(folder / "embedding_rows.npz", image_rows=rows["image"], text_rows=rows["text"], codes=False)
    write_npz(folder / "class_scores.npz")
    for kind, places in rows.items():
        vectors = meanings[places] + noise * rng.normal(size=(len(places), 16)) / 4
        write_npy(folder / f"embeddings_{kind}.npy", unit(vectors))
    history(noise, rng).to_parquet(folder / "history.parquet")
    seal_run(folder, sha256(Path("data/glyphs/prepared/dataset.json")))
    evaluate.main(
        method=method,
        seed=seed,
        data=Path("data/glyphs/prepared"),
        text=Path("data/glyphs/text"),
        taxonomy=Path("data/glyphs/taxonomy"),
        model=folder / "model.pt",
        history=folder / "history.parquet",
        trained=folder / "trained.json",
        scores=folder / "class_scores.npz",
        images=folder / "embeddings_image.npy",
        texts=folder / "embeddings_text.npy",
        rows=folder / "embedding_rows.npz",
        embedded=folder / "embedded.json",
        metrics=folder / "metrics.json",
        queries=folder / "queries.parquet",
        evaluated=folder / "evaluated.json",
    )


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def history(noise: float, rng: np.random.Generator) -> pd.DataFrame:
    epoch = np.arange(1, 9)
    table = pd.DataFrame({"epoch": epoch, "lr": 0.003, "train_loss": noise * 4 * np.exp(-epoch / 4)})
    table["val_loss"] = table["train_loss"] + 0.2
    table["val_mrr"] = (1 - np.exp(-epoch / 3)) / (1 + noise) + rng.normal(size=8) * 0.01
    table["train_mrr"] = np.minimum(1, table["val_mrr"] * (1 + epoch / 10))
    return table
