"""Bring any source into the one data contract: items, pictures, taxonomy, and a description of them."""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kith.data import arrays, duplicates, items, marks, sources, splits
from kith.data.depths import Depths
from kith.data.digests import sha256
from kith.data.images import CHANNELS
from kith.data.items import Dataset
from kith.data.kinds import Listed, Tabular, Vectors
from kith.data.label_sets import label_sets
from kith.data.photos import PhotoWriter
from kith.data.shards import INDEX
from kith.data.shown import ArrayAndPhotos
from kith.data.source import Source
from kith.data.store import ImageWriter, Watched, moments
from kith.errors import KithError
from kith.progress import Progress
from kith.store.photos import Photos
from stages import cli, files, params
from stages.params.data import Image

ROW_GROUP = 100_000  # rows of items.parquet that are encoded at a time
LARGEST = 4 << 30  # bytes of an array of pictures, where prepare.image.store is auto
SAMPLE = 10_000  # training photographs that the mean and the deviation are of

PICTURES = ("images.npy", "images-*.arrow", INDEX)
WRITTEN = ("items.parquet", "extras.parquet", *PICTURES, "features_*.npy", "taxonomy.parquet", "dataset.json")


def main(*, raw: Path, out: Path) -> None:
    """Write items.parquet, pictures (or features of both sides), taxonomy.parquet and dataset.json."""
    pa.set_memory_pool(pa.system_memory_pool())  # Arrow's usual one holds on to much of what is given back
    settings = params.load()
    source, fetch, prepare = sources.find(settings.fetch.source), settings.fetch.model_dump(), settings.prepare
    pinned = _pinned(raw, source, fetch)
    source.check(fetch | {"index": files.index_of(raw)}, pinned)
    seen = Depths()
    with files.replacing_folder(out, *WRITTEN) as folder:
        if isinstance(source, Vectors):
            dataset, inputs = _write_features(source, fetch, prepare, folder)
        else:
            count = source.count(fetch, pinned)
            with (
                _writer(folder, prepare.image, count, seen) as pictures,
                Progress("prepare", count or None, "pictures") as progress,
            ):
                watched = Watched(pictures, progress)
                built = source.build(fetch, prepare.model_dump(), raw, watched)
            stored = _written(folder, prepare.image)
            dataset = _drawn(marks.heed(built, prepare.exclude, prepare.relabel, stored), prepare)
            inputs = _describe_pictures(dataset, folder, prepare)
        items.check_train(dataset, pinned["path"])
        pq.write_table(dataset.items, folder / "items.parquet", compression="zstd", row_group_size=ROW_GROUP)
        pq.write_table(dataset.taxonomy, folder / "taxonomy.parquet", compression="zstd")
        if dataset.extras is not None:
            kept = dataset.extras.filter(pc.is_in(dataset.extras["id"], dataset.items["id"].combine_chunks()))
            pq.write_table(kept, folder / "extras.parquet", compression="zstd")
        described = {"name": source.title(fetch), **_describe(dataset, pinned, folder, inputs)}
        files.write_json(folder / "dataset.json", described)
    _tell(dataset, out)
    told = items.unseen_classes(dataset.items)
    told += (
        duplicates.remarks(dataset.items, isinstance(source, Tabular)) if isinstance(source, Listed | Tabular) else []
    )
    for line in [*dataset.remarks, *seen.remarks(prepare.image.bits), *items.small_splits(dataset.items), *told]:
        print(f"prepare: {line}", file=sys.stderr)


def _drawn(dataset: Dataset, options: params.Prepare) -> Dataset:
    """With the splits that `prepare.per_class` or `prepare.counts` asks for, if one does; items without a label are in
    the database."""
    wanted = options.per_class or options.counts
    if wanted is None:
        return dataset
    name = "per_class" if options.per_class else "counts"
    frame = dataset.items.select(["id", "label", "group"]).to_pandas()
    if frame["group"].duplicated().any():
        raise KithError(
            f"prepare.{name}: groups of several items would be split apart (rows of one picture are a group); leave "
            "it out, or name a column of groups (fetch.columns.group), the ids if each row is its own"
        )
    several = items.has_sets(dataset.items)
    sets = label_sets(dataset.items["labels"].to_pylist())[1] if several else None
    chosen = np.flatnonzero(frame["label"].to_numpy() >= 0 if sets is None else sets.any(axis=1))
    ids = [frame["id"].iat[row] for row in chosen]
    drawing = (wanted.train, wanted.test, options.val, options.seed)
    split = np.full(len(frame), "database", dtype=object)
    if options.counts:
        split[chosen] = splits.draw(ids, *drawing)
    elif sets is not None:
        split[chosen] = splits.draw_per_label(sets[chosen], ids, *drawing)
    else:
        split[chosen] = splits.draw_per_class(frame["label"].to_numpy()[chosen], ids, *drawing)
    place = dataset.items.schema.get_field_index("split")
    drawn = dataset.items.set_column(place, dataset.items.schema.field("split"), pa.array(split, pa.string()))
    return replace(dataset, items=drawn)


def _pinned(raw: Path, source: Source, fetch: dict[str, Any]) -> dict[str, Any]:
    """What the fetch stage noted of the source."""
    path = raw / "source.json"
    if not path.exists():
        raise KithError(f"{path}: no such file; run the fetch stage first")
    pinned = files.read_json(path, "run the fetch stage again")
    if pinned["source"] != source.name or pinned["path"] != source.location(fetch):
        raise KithError(f"{path}: is of another source than fetch in {params.PARAMS}; run the fetch stage")
    return pinned


def _write_features(
    source: Vectors, fetch: dict[str, Any], prepare: params.Prepare, folder: Path
) -> tuple[Dataset, dict[str, Any]]:
    """Write features_image.npy and features_text.npy; the items, and what dataset.json says of both sides."""
    if prepare.exclude or prepare.relabel:
        raise KithError("prepare.exclude and prepare.relabel are for pictures and texts; mend the arrays themselves")
    found = source.views(fetch, prepare.model_dump())
    train = np.flatnonzero(found.dataset.items["split"].to_pandas() == "train")
    features = {}
    for side, feature in found.features.items():
        try:
            written = arrays.write(folder / f"features_{side}.npy", feature)
        except KithError as error:
            raise KithError(f"{fetch['path']}: {error}") from None
        features[side] = arrays.scaling(written, train, getattr(prepare.features, side)) if len(train) else {}
    return found.dataset, {"image": None, "mean": None, "std": None, "features": features}


def _writer(folder: Path, image: Image, count: int, seen: Depths) -> ImageWriter | PhotoWriter | ArrayAndPhotos:
    """Where `count` pictures go; `seen` notes their deep greys; a choice of photographs is said on standard error."""
    array, short_side = count * image.size**2 * CHANNELS[image.mode], _short_side(image)
    choices = replace(image.choices, seen=seen)
    chosen = image.store == "auto" and array > LARGEST
    if chosen:
        print(
            f"prepare: {count:,} pictures of {image.size}×{image.size} pixels would be an array of {array / 1e9:,.1f} "
            f"GB; they are kept as photographs, the shorter side at most {short_side} pixels; for an array give "
            "prepare.image.store: array",
            file=sys.stderr,
        )
    if chosen or image.store == "photos":
        return PhotoWriter(folder, image.size, image.mode, short_side, choices=choices)
    pixels = ImageWriter(folder / "images.npy", image.size, image.mode, choices)
    if image.shown is None:
        return pixels
    # Deep greys are noted once.
    return ArrayAndPhotos(pixels, PhotoWriter(folder, image.size, image.mode, image.shown, choices=image.choices))


def _short_side(image: Image) -> int:
    """Of photographs, at most: no less than methods see."""
    return max(image.size, image.store_size)


def _written(folder: Path, image: Image) -> np.ndarray | Photos:
    """The pictures that were written."""
    if (folder / "images.npy").exists():
        return np.load(folder / "images.npy", mmap_mode="r")
    return Photos(folder, np.load(folder / INDEX), image.size, image.mode, image.fit, image.choices)


def _describe_pictures(dataset: Dataset, folder: Path, prepare: params.Prepare) -> dict[str, Any]:
    """What dataset.json says of pictures: their shape, their store if it is not an array, and the moments of those that
    are trained on, or of a sample of them."""
    frame = dataset.items.select(["split", "image_row"]).to_pandas()
    rows = frame["image_row"][(frame["split"] == "train") & (frame["image_row"] >= 0)].to_numpy()
    image, stored = prepare.image, dict[str, Any]()
    images = _written(folder, image)
    if isinstance(images, Photos):
        if len(rows) > SAMPLE:
            rows = np.sort(np.random.default_rng(prepare.seed).choice(rows, SAMPLE, replace=False))
        stored = {"store": {"kind": "photos", "short_side": _short_side(image), "moments_of": len(rows)}}
    else:
        stored = {} if image.shown is None else {"shown": {"short_side": image.shown}}
    mean, std = moments(images, rows)
    shape = dict(zip(("height", "width", "channels"), images.shape[1:], strict=True))
    shape |= {"fit": image.fit, **image.choices.told()}
    stored |= {} if (frame["image_row"] >= 0).any() else {"of": "texts"}
    return {"image": shape, **stored, "mean": mean, "std": std, "features": None}


def _describe(dataset: Dataset, pinned: dict[str, Any], folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """What dataset.json says; counts are in the order train, val, test, extra test sets."""
    frame = dataset.items.select(["split", "label", "group"]).to_pandas()
    order = sorted(frame["split"].unique(), key=lambda split: (split != "train", split != "val", split))
    return {
        "source": pinned["source"],
        "counts": {split: int((frame["split"] == split).sum()) for split in order},
        "groups": {split: int(frame["group"][frame["split"] == split].nunique()) for split in order},
        "texts": len(pc.list_flatten(dataset.items["texts"])),
        **inputs,
        "labels": _labels(dataset.items),
        "licence": pinned["licence"],
        "checksums": {path.name: sha256(path) for path in sorted(folder.iterdir())},
        "skipped": [
            {"row": fault.row, "id": fault.id, "field": fault.field, "problem": f"{fault.kind}: {fault.message}"}
            for fault in dataset.skipped
        ],
    }


def _labels(table: pa.Table) -> int:
    """How many different labels there are."""
    if items.has_sets(table):
        return pc.count_distinct(pc.list_flatten(table["labels"])).as_py()
    return pc.count_distinct(table["label"].filter(pc.greater_equal(table["label"], 0))).as_py()


def _tell(dataset: Dataset, out: Path) -> None:
    """Say on standard error what was left out."""
    kinds = Counter(fault.kind for fault in dataset.skipped)
    marked = kinds.pop("excluded", 0)
    parts = ", ".join(f"{number:,} {kind}" for kind, number in sorted(kinds.items()))
    for why, told in (("prepare.skip says", parts), ("is marked", f"{marked:,} excluded" if marked else "")):
        if told:
            print(f"prepare: left out, as {why}: {told}; listed in {out / 'dataset.json'}", file=sys.stderr)


if __name__ == "__main__":
    cli.run(main)
