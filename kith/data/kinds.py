"""The kinds of sources: pictures with labels, pictures with captions, two views as arrays, a table, and drawn ones."""

import inspect
import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kith.data.digests import digest_of, digest_of_arrays, sha256_of
from kith.data.listing import Listing
from kith.data.source import Holding, Options, Source, beside_file
from kith.errors import KithError

if TYPE_CHECKING:
    from kith.data.arrays import TwoViews
    from kith.data.items import Dataset
    from kith.data.store import Sink

SHARES = ("val", "test", "seed")  # of `prepare`: how splits are drawn
FONTS = "fonts"  # the folder beside source.json that fonts are copied to


def keywords(function: Callable[..., Any]) -> frozenset[str]:
    """The keyword-only parameters of `function`."""
    parameters = inspect.signature(function).parameters.values()
    return frozenset(each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, kw_only=True)
class Listed(Source):
    """Pictures in the layout of a data set. `read`: (path, **own options) -> Listing; its keyword-only parameters are
    the options. `lists`: patterns of the files whose content counts for the checksum, beside names and sizes of all.
    """

    read: Callable[..., Listing]
    lists: tuple[str, ...] = ()

    def digest(self, path: Path) -> tuple[str, int]:
        return digest_of(path, self.lists)

    def listing(self, path: Path, options: Options) -> Listing:
        """The pictures of the data set at `path`; of `options` it takes its own. Raises KithError."""
        own = keywords(self.read)
        found = self.read(path, **{name: value for name, value in options.items() if name in own})
        if not found.entries:
            left = ", ".join(f"{count:,} {what}" for what, count in found.left_out.items())
            raise KithError(f"{path}: lists no picture" + (f" to use; left out: {left}" if left else ""))
        return found

    def look(self, fetch: Options) -> dict[str, Any]:
        """What is left out is told on standard error too."""
        if not fetch["path"].exists():
            raise KithError(f"{fetch['path']}: no such file or folder; mend fetch.path")
        found = self.listing(fetch["path"], fetch)
        for what, count in found.left_out.items():
            print(f"fetch: left out: {count:,} {what}", file=sys.stderr)
        return {"rows": len(found.entries), "left_out": dict(found.left_out)}


@dataclass(frozen=True, kw_only=True)
class Labelled(Listed):
    """Pictures with labels and without texts: image classification data sets."""

    @property
    def own_options(self) -> frozenset[str]:
        return keywords(self.read) | {"taxonomy", "taxonomy_order", "class_names", "train_per_class"}

    def holds(self, fetch: Options) -> frozenset[Holding]:
        return frozenset(("image", "label"))

    def title(self, fetch: Options) -> str:
        """ "cifar100", "cifar100-a", "inat2018-Aves", "cub-sub10"."""
        parts = [super().title(fetch)]
        parts += [str(fetch[each]) for each in ("variant", "supercategory") if fetch.get(each)]
        per_class = fetch.get("train_per_class")
        return "-".join(parts + ([f"sub{per_class}"] if per_class else []))

    def look(self, fetch: Options) -> dict[str, Any]:
        found = super().look(fetch)
        check_classes(fetch)
        return found

    def beside(self, fetch: Options) -> dict[str, dict[str, Any]]:
        return _classes(fetch)

    def build(self, fetch: Options, prepare: Options, raw: Path, pictures: "Sink") -> "Dataset":
        from kith.data import labelled

        listing = self.listing(fetch["path"], fetch)
        more = {name: fetch[name] for name in ("taxonomy", "taxonomy_order", "class_names", "train_per_class")}
        return labelled.build(fetch["path"], listing, pictures, **more, **_preparing(prepare))


@dataclass(frozen=True, kw_only=True)
class LabelSets(Listed):
    """Pictures with several labels each, and without texts."""

    @property
    def own_options(self) -> frozenset[str]:
        return keywords(self.read) | {"class_names"}

    def holds(self, fetch: Options) -> frozenset[Holding]:
        return frozenset(("image", "label", "labels"))

    def beside(self, fetch: Options) -> dict[str, dict[str, Any]]:
        names = {key: each for key, each in _classes(fetch).items() if key == "class_names"}
        return names | _pictures_beside(fetch, self.options)

    def build(self, fetch: Options, prepare: Options, raw: Path, pictures: "Sink") -> "Dataset":
        from kith.data import labelled_sets

        listing = self.listing(fetch["path"], fetch)
        more = {"class_names": fetch["class_names"], **_preparing(prepare)}
        return labelled_sets.build(fetch["path"], listing, pictures, **more)


@dataclass(frozen=True, kw_only=True)
class Captioned(Listed):
    """Pictures with captions or articles. `labelled`: whether with labels too."""

    labelled: bool = False

    @property
    def own_options(self) -> frozenset[str]:
        return keywords(self.read) | {"splits"}

    def holds(self, fetch: Options) -> frozenset[Holding]:
        return super().holds(fetch) if self.labelled else super().holds(fetch) - {"label"}

    def listing(self, path: Path, options: Options) -> Listing:
        if not path.is_dir():
            raise KithError(f"{path}: no such folder; mend fetch.path")
        return super().listing(path, options)

    def beside(self, fetch: Options) -> dict[str, dict[str, Any]]:
        return _pictures_beside(fetch, self.options)

    def build(self, fetch: Options, prepare: Options, raw: Path, pictures: "Sink") -> "Dataset":
        from kith.data import captioned

        listing = self.listing(fetch["path"], fetch)
        return captioned.build(fetch["path"], listing, pictures, split_names=fetch["splits"], **_preparing(prepare))


@dataclass(frozen=True, kw_only=True)
class Vectors(Source):
    """Two views as arrays, one row an item in each. `read`: (path, **own options) -> TwoViews; of `prepare` it may ask
    for val, test and seed."""

    read: "Callable[..., TwoViews]"

    features = True

    @property
    def own_options(self) -> frozenset[str]:
        return keywords(self.read).difference(SHARES)

    def holds(self, fetch: Options) -> frozenset[Holding]:
        names = fetch["arrays"] if "arrays" in self.own_options else {}
        named: dict[str, Holding] = {"label": "label", "texts": "words"}
        return frozenset(("image", "text", *(held for name, held in named.items() if names.get(name))))

    def digest(self, path: Path) -> tuple[str, int]:
        return digest_of_arrays(path)

    def look(self, fetch: Options) -> dict[str, Any]:
        from kith.data.arrays import Arrays

        if not fetch["path"].exists():
            raise KithError(f"{fetch['path']}: no such file or folder; mend fetch.path")
        return {"arrays": Arrays(fetch["path"]).names}

    def views(self, fetch: Options, prepare: Options) -> "TwoViews":
        """Items, and both views of them. Raises KithError for whatever does not fit."""
        known = {**fetch, **{name: prepare[name] for name in SHARES}}
        return self.read(fetch["path"], **{name: known[name] for name in keywords(self.read)})


@dataclass(frozen=True, kw_only=True)
class Tabular(Source):
    """A table of the user's own: a Parquet, CSV, TSV or JSONL file, or a folder of Parquet files."""

    @property
    def own_options(self) -> frozenset[str]:
        return frozenset(
            {"columns", "image_root", "outside", "splits", "taxonomy", "taxonomy_order", "class_names", "missing"}
        )

    def holds(self, fetch: Options) -> frozenset[Holding]:
        columns = _columns(fetch)
        held: dict[Holding, Any] = {"image": columns.image, "text": columns.texts, "words": columns.texts}
        held |= {"label": columns.label or columns.categories or columns.labels, "labels": columns.labels}
        return frozenset(what for what, named in held.items() if named)

    def look(self, fetch: Options) -> dict[str, Any]:
        from kith.data import parts, readers, table

        if parts.is_parted(fetch["path"]) and not fetch["path"].is_dir():
            raise KithError(f"{fetch['path']}: name the folder of the parts: a pattern cannot be watched for changes")
        table.check_columns(fetch["path"], _columns(fetch), fetch["image_root"])
        rows = readers.count(fetch["path"])
        if not rows:
            raise KithError(f"{fetch['path']}: the table has no rows")
        check_classes(fetch)
        return {"rows": rows}

    def beside(self, fetch: Options) -> dict[str, dict[str, Any]]:
        """Of pictures: names and contents of those files that the table names; `index`, where `fetch` has it, is the
        file of what was read before (see watched.contents)."""
        from kith.data.picture_files import picture_files

        pictures = picture_files(fetch["path"], _columns(fetch).image, fetch["image_root"], fetch.get("index"))
        return _classes(fetch) | pictures

    def digest(self, path: Path) -> tuple[str, int]:
        from kith.data import parts

        if not path.is_dir():
            return super().digest(path)
        files = parts.parts(path)
        return sha256_of(files, path), sum(each.stat().st_size for each in files)

    def count(self, fetch: Options, pinned: Mapping[str, Any]) -> int:
        return super().count(fetch, pinned) if _columns(fetch).image else 0

    def build(self, fetch: Options, prepare: Options, raw: Path, pictures: "Sink") -> "Dataset":
        from kith.data import extras, table

        more, columns = {name: fetch[name] for name in self.own_options - {"columns"}}, _columns(fetch)
        found = table.build(fetch["path"], columns, pictures, **more, **_preparing(prepare))
        if not columns.extras:
            return found
        assert found.rows is not None
        return replace(found, extras=extras.read(fetch["path"], columns.extras, found.rows, found.items["id"]))


@dataclass(frozen=True, kw_only=True)
class Drawn(Source):
    """Pictures that are drawn from fonts of installed packages: there is nothing to bring, and at `fetch.path` is the
    program. `pin` copies what is needed; a class of its own says how (see sources/glyphs.py)."""

    @property
    def own_options(self) -> frozenset[str]:
        return frozenset()

    @property
    def origin(self) -> str:
        return "nothing to get"

    def location(self, fetch: Options) -> str:
        return FONTS

    def check(self, fetch: Options, pinned: Mapping[str, Any]) -> None:
        """The fonts are those that were copied."""

    def count(self, fetch: Options, pinned: Mapping[str, Any]) -> int:
        return 0  # few enough; what was pinned are fonts

    @abstractmethod
    def draw(self, fetch: Options, prepare: Options, raw: Path, pictures: "Sink") -> "Dataset":
        """The items, with their pictures drawn into `pictures`, from what `pin` copied into `raw`. Raises KithError."""

    def build(self, fetch: Options, prepare: Options, raw: Path, pictures: "Sink") -> "Dataset":
        from kith.data import items
        from kith.data.problems import Problems

        dataset = self.draw(fetch, prepare, raw, pictures)
        problems = Problems(self.name)
        items.check(dataset, pictures.count, problems)
        problems.raise_any()
        return dataset


def drawing(prepare: Options) -> dict[str, Any]:
    """What all sources that draw their pictures take of the section `prepare`."""
    wanted = prepare["glyphs"]
    return {"sample": wanted["characters"], "test": wanted["test"], "val": wanted["val"], "seed": prepare["seed"]}


def _columns(fetch: Options) -> Any:
    from kith.data.rows import Columns

    return Columns(**fetch["columns"])


def _pictures_beside(fetch: Options, options: frozenset[str]) -> dict[str, dict[str, Any]]:
    """The folder of the pictures, where it is another than the data set's."""
    root = fetch["image_root"] if "image_root" in options else None
    if root is None:
        return {}
    digest, size = digest_of(root, parameter="fetch.image_root")
    return {"image_root": {"path": root.as_posix(), "sha256": digest, "bytes": size}}


def _classes(fetch: Options) -> dict[str, dict[str, Any]]:
    """The files that say what the classes are called, and how they are related."""
    return {key: beside_file(path, key) for key in ("taxonomy", "class_names") if (path := fetch[key])}


def check_classes(fetch: Options) -> None:
    """Raise KithError for what is wrong with these files."""
    from kith.data import edges
    from kith.data.labels import read_names

    called = read_names(fetch["class_names"]) if fetch["class_names"] else {}
    if fetch["taxonomy"] is not None:
        edges.read(fetch["taxonomy"], fetch["taxonomy_order"], called)


def _preparing(prepare: Options) -> dict[str, Any]:
    """What all sources of pictures take of the section `prepare`."""
    return {"fit": prepare["image"]["fit"], "skip": prepare["skip"], **{name: prepare[name] for name in SHARES}}
