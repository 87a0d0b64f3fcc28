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

from kith.data import arrays, items, splits, table
from kith.data.captions import assemble as captioned
from kith.data.captions import sources as captions
from kith.data.classes import assemble, sources
from kith.data.items import Dataset
from kith.data.problems import Problems
from kith.data.rows import Columns
from kith.data.store import ImageWriter, moments
from kith.errors import KithError
from stages import cli, files, params
from stages.fetch import FONTS, digest

ROW_GROUP = 100_000  # rows of items.parquet that are encoded at a time
NAMED = ("glyphs", "iapr_tc12", "audio_score")  # sources that are a data set


def main(*, raw: Path, out: Path) -> None:
    """Write items.parquet, images.npy (or features of both sides), taxonomy.parquet and dataset.json.

    With --check in place of --raw and --out: look at a table beforehand; `--check --help` says how.
    """
    pa.set_memory_pool(pa.system_memory_pool())  # Arrow's usual one holds on to much of what is given back
    settings = params.load()
    source = _source(raw)
    with files.replacing(out) as folder:
        folder.mkdir()
        if settings.fetch.source in ("glyphs", "table") or settings.fetch.labelled or settings.fetch.captioned:
            image = settings.prepare.image
            with ImageWriter(folder / "images.npy", image.size, image.mode) as pictures:
                dataset = _drawn(_build(raw, source, settings, pictures), settings.prepare)
            views = _describe_pictures(dataset, folder, image.fit)
        else:
            dataset, views = _build_features(raw, source, settings, folder)
        items.check_train(dataset, source["path"])
        pq.write_table(dataset.items, folder / "items.parquet", compression="zstd", row_group_size=ROW_GROUP)
        pq.write_table(dataset.taxonomy, folder / "taxonomy.parquet", compression="zstd")
        name = _name(settings.fetch)
        files.write_json(folder / "dataset.json", {"name": name, **_describe(dataset, source, folder, views)})
    _tell(dataset, out)


def _drawn(dataset: Dataset, options: params.Prepare) -> Dataset:
    """With the splits that `prepare.per_class` asks for, if it does; items without a label are in the database."""
    wanted = options.per_class
    if wanted is None:
        return dataset
    frame = dataset.items.select(["id", "label", "group"]).to_pandas()
    if frame["group"].duplicated().any():
        raise KithError("prepare.per_class: groups of several items would be split apart; leave it out")
    labelled = frame[frame["label"] >= 0]
    split = np.full(len(frame), "database", dtype=object)
    split[labelled.index] = splits.draw_per_class(
        labelled["label"].to_numpy(), list(labelled["id"]), wanted.train, wanted.test, options.val, options.seed
    )
    place = dataset.items.schema.get_field_index("split")
    items = dataset.items.set_column(place, dataset.items.schema.field("split"), pa.array(split, pa.string()))
    return replace(dataset, items=items)


def _source(raw: Path) -> dict[str, Any]:
    path = raw / "source.json"
    if not path.exists():
        raise KithError(f"{path}: no such file; run the fetch stage first")
    return files.read_json(path)


def _build(raw: Path, source: dict[str, Any], settings: params.Params, pictures: ImageWriter) -> Dataset:
    fetch, prepare = settings.fetch, settings.prepare
    _check_source(raw, source, fetch)
    if fetch.source == "glyphs":
        return _glyphs(raw, prepare, pictures)
    _check_pinned(source, fetch)
    options: dict[str, Any] = {
        **{"fit": prepare.image.fit, "val": prepare.val, "test": prepare.test, "seed": prepare.seed},
        "skip": prepare.skip,
    }
    if fetch.captioned:
        told = captions.listing(fetch.source, fetch.path, fetch.model_dump())
        return captioned.build(fetch.path, told, pictures, split_names=fetch.splits, **options)
    options |= {"taxonomy": fetch.taxonomy, "taxonomy_order": fetch.taxonomy_order, "class_names": fetch.class_names}
    if fetch.labelled:
        listing = sources.listing(fetch.source, fetch.path, fetch.model_dump())
        return assemble.build(fetch.path, listing, pictures, train_per_class=fetch.train_per_class, **options)
    columns = Columns(**fetch.columns.model_dump())
    return table.build(fetch.path, columns, pictures, image_root=fetch.image_root, splits=fetch.splits, **options)


def _check_pinned(source: dict[str, Any], fetch: params.Fetch) -> None:
    """Raise KithError unless the files are those that the fetch stage saw."""
    for path, known in [
        (fetch.path, source),
        (fetch.image_root if fetch.captioned else None, source.get("image_root")),
        (fetch.taxonomy, source.get("taxonomy")),
        (fetch.class_names, source.get("class_names")),
    ]:
        if path is None:
            continue
        found = _digest(path, fetch)
        if known is None or found != known["sha256"]:
            raise KithError(f"{path}: is not what the fetch stage saw; run the fetch stage again")


def _digest(path: Path, fetch: params.Fetch) -> str:
    """The checksum of a file that fetch names, of the data set, or of the folder of its pictures."""
    if fetch.captioned:
        return captions.digest(fetch.source, path)[0] if path == fetch.path else sources.digest_of(path, ())[0]
    return sources.digest(fetch.source, path)[0] if fetch.labelled and path == fetch.path else files.sha256(path)


def _check_source(raw: Path, source: dict[str, Any], fetch: params.Fetch) -> None:
    if source["source"] != fetch.source or (fetch.source != "glyphs" and source["path"] != fetch.path.as_posix()):
        raise KithError(
            f"{raw / 'source.json'}: is of another source than fetch in {params.PARAMS}; run the fetch stage"
        )


def _build_features(
    raw: Path, source: dict[str, Any], settings: params.Params, folder: Path
) -> tuple[Dataset, dict[str, Any]]:
    """Write features_image.npy and features_text.npy; the items, and what dataset.json says of the views."""
    fetch, prepare = settings.fetch, settings.prepare
    _check_source(raw, source, fetch)
    if digest(fetch.path) != source["sha256"]:
        raise KithError(f"{fetch.path}: is not what the fetch stage saw; run the fetch stage again")
    if fetch.source == "arrays":
        names = arrays.Names(**fetch.arrays.model_dump())
        pairs = arrays.build(fetch.path, names, val=prepare.val, test=prepare.test, seed=prepare.seed)
    else:
        pairs = (arrays.iapr_tc12 if fetch.source == "iapr_tc12" else arrays.audio_score)(fetch.path)
    train = np.flatnonzero(pairs.dataset.items["split"].to_pandas() == "train")
    features = {}
    for side, feature in pairs.features.items():
        try:
            written = arrays.write(folder / f"features_{side}.npy", feature)
        except KithError as error:
            raise KithError(f"{fetch.path}: {error}") from None
        features[side] = arrays.scaling(written, train, getattr(prepare.features, side)) if len(train) else {}
    return pairs.dataset, {"image": None, "mean": None, "std": None, "features": features}


def _describe_pictures(dataset: Dataset, folder: Path, fit: str) -> dict[str, Any]:
    """What dataset.json says of pictures: their shape, and the moments of those that are trained on."""
    frame = dataset.items.select(["split", "image_row"]).to_pandas()
    images = np.load(folder / "images.npy", mmap_mode="r")
    rows = frame["image_row"][(frame["split"] == "train") & (frame["image_row"] >= 0)].to_numpy()
    mean, std = moments(images, rows)
    shape = dict(zip(("height", "width", "channels"), images.shape[1:], strict=True)) | {"fit": fit}
    return {"image": shape, "mean": mean, "std": std, "features": None}


def _glyphs(raw: Path, prepare: params.Prepare, pictures: ImageWriter) -> Dataset:
    from kith.data import glyphs

    wanted = prepare.glyphs
    dataset = glyphs.build(
        raw / FONTS, pictures, sample=wanted.characters, test=wanted.test, val=wanted.val, seed=prepare.seed
    )
    problems = Problems("glyphs")
    items.check(dataset, pictures.count, problems)
    problems.raise_any()
    return dataset


def _name(fetch: params.Fetch) -> str:
    if fetch.labelled:
        return sources.name(fetch.source, fetch.path, fetch.model_dump())
    return fetch.source if fetch.source in NAMED or fetch.captioned else fetch.path.stem


def _describe(dataset: Dataset, source: dict[str, Any], folder: Path, views: dict[str, Any]) -> dict[str, Any]:
    """What dataset.json says; counts are in the order train, val, test, extra test sets."""
    frame = dataset.items.select(["split", "label", "group"]).to_pandas()
    order = sorted(frame["split"].unique(), key=lambda split: (split != "train", split != "val", split))
    return {
        "source": source["source"],
        "counts": {split: int((frame["split"] == split).sum()) for split in order},
        "groups": {split: int(frame["group"][frame["split"] == split].nunique()) for split in order},
        "texts": len(pc.list_flatten(dataset.items["texts"])),
        **views,
        "labels": int(frame["label"][frame["label"] >= 0].nunique()),
        "licence": source["licence"],
        "checksums": {path.name: files.sha256(path) for path in sorted(folder.iterdir())},
        "skipped": [
            {"row": fault.row, "id": fault.id, "field": fault.field, "problem": f"{fault.kind}: {fault.message}"}
            for fault in dataset.skipped
        ],
    }


def _tell(dataset: Dataset, out: Path) -> None:
    """Say on standard error what was left out."""
    if dataset.skipped:
        kinds = Counter(fault.kind for fault in dataset.skipped)
        parts = ", ".join(f"{number:,} {kind}" for kind, number in sorted(kinds.items()))
        print(f"prepare: left out, as prepare.skip says: {parts}; listed in {out / 'dataset.json'}", file=sys.stderr)


if __name__ == "__main__":
    cli.run(main)
