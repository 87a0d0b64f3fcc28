"""Pin the raw data: copy the fonts, or note what the user's table, arrays or pictures are; download them first, if that
is wanted."""

import hashlib
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from kith.data import edges, readers, table
from kith.data.arrays import Arrays
from kith.data.captions import sources as captions
from kith.data.classes import names, sources
from kith.data.classes.sources import digest_of
from kith.data.registry import RECIPES
from kith.data.rows import Columns
from kith.errors import KithError
from stages import cli, files, params
from stages.download import bring, origin

FONTS = "fonts"


def main(*, out: Path) -> None:
    """Write source.json, which says what the data are, into a directory; fonts are copied beside it."""
    fetch = params.load().fetch
    if fetch.labelled or fetch.captioned or fetch.source in RECIPES:
        bring(fetch)
    with files.replacing(out) as folder:
        folder.mkdir()
        if fetch.source == "glyphs":
            source = _glyphs(folder / FONTS)
        elif fetch.source == "table":
            source = _table(fetch)
        elif fetch.labelled:
            source = _labelled(fetch)
        else:
            source = _captioned(fetch) if fetch.captioned else _arrays(fetch)
        files.write_json(folder / "source.json", {"source": fetch.source, **source, **origin(fetch)})


def _glyphs(folder: Path) -> dict[str, Any]:
    """Copy the typefaces and their licences out of matplotlib."""
    from fontTools.ttLib import TTFont
    from matplotlib import get_data_path

    from kith.data.glyphs import SEEN, UNSEEN

    folder.mkdir()
    installed = Path(get_data_path()) / "fonts" / "ttf"
    fonts = [f"{name}.ttf" for name in (*SEEN, UNSEEN)]
    licences = ["LICENSE_DEJAVU", "LICENSE_STIX"]
    described = []
    for name in (*fonts, *licences):
        if not (installed / name).exists():
            raise KithError(f"{installed / name}: not installed; install the matplotlib that requirements.txt names")
        shutil.copyfile(installed / name, folder / name)
    for name in fonts:
        with TTFont(folder / name, lazy=True) as font:
            version = font["name"].getDebugName(5)
        described.append({"name": name, "version": version, "sha256": files.sha256(folder / name)})
    return {
        "path": FONTS,
        "sha256": hashlib.sha256("".join(font["sha256"] for font in described).encode()).hexdigest(),
        "bytes": sum((folder / name).stat().st_size for name in fonts),
        "rows": len(fonts),
        "licence": "DejaVu (Bitstream Vera) and STIX font licences: "
        + ", ".join(f"{FONTS}/{name}" for name in licences),
        "origin": f"matplotlib {metadata.version('matplotlib')}",
        "fonts": described,
    }


def _table(fetch: params.Fetch) -> dict[str, Any]:
    """Check the table's columns, count its rows and hash it; it stays where it is."""
    table.check_columns(fetch.path, Columns(**fetch.columns.model_dump()), fetch.image_root)
    rows = readers.count(fetch.path)
    if not rows:
        raise KithError(f"{fetch.path}: the table has no rows")
    return {
        "path": fetch.path.as_posix(),
        "sha256": files.sha256(fetch.path),
        "bytes": fetch.path.stat().st_size,
        "rows": rows,
        "licence": fetch.terms,
        **_classes(fetch),
    }


def _labelled(fetch: params.Fetch) -> dict[str, Any]:
    """Check the lists of pictures and classes, and hash them; they stay where they are."""
    digest, size = sources.digest(fetch.source, fetch.path)
    return {
        "path": fetch.path.as_posix(),
        "sha256": digest,
        "bytes": size,
        "rows": len(sources.listing(fetch.source, fetch.path, fetch.model_dump()).entries),
        "licence": fetch.terms,
        **_classes(fetch),
    }


def _captioned(fetch: params.Fetch) -> dict[str, Any]:
    """Check the lists of pictures and captions, and hash them; they stay where they are."""
    digest, size = captions.digest(fetch.source, fetch.path)
    found = captions.listing(fetch.source, fetch.path, fetch.model_dump())
    for what, count in found.left_out.items():
        print(f"fetch: left out: {count:,} {what}", file=sys.stderr)
    elsewhere = {}
    if fetch.image_root is not None:
        pictures, more = digest_of(fetch.image_root, ())
        elsewhere = {"image_root": {"path": fetch.image_root.as_posix(), "sha256": pictures, "bytes": more}}
    return {
        "path": fetch.path.as_posix(),
        "sha256": digest,
        "bytes": size,
        "rows": len(found.entries),
        "left_out": dict(found.left_out),
        "licence": fetch.terms,
        **elsewhere,
    }


def _classes(fetch: params.Fetch) -> dict[str, Any]:
    """The files that say what the classes are called, and how they are related."""
    called = names.read(fetch.class_names) if fetch.class_names else {}
    if fetch.taxonomy is not None:
        edges.read(fetch.taxonomy, fetch.taxonomy_order, called)
    beside = {"taxonomy": fetch.taxonomy, "class_names": fetch.class_names}
    return {key: {"path": path.as_posix(), "sha256": files.sha256(path)} for key, path in beside.items() if path}


def _arrays(fetch: params.Fetch) -> dict[str, Any]:
    """Note which arrays there are, and hash them; they stay where they are."""
    if not fetch.path.exists():
        raise KithError(f"{fetch.path}: no such file or folder; mend fetch.path")
    names = Arrays(fetch.path).names
    return {
        "path": fetch.path.as_posix(),
        "sha256": digest(fetch.path),
        "bytes": sum(path.stat().st_size for path in _array_files(fetch.path)),
        "arrays": names,
        "licence": fetch.terms,
    }


def digest(path: Path) -> str:
    """Checksum of a file, or of the .npy files in a folder."""
    if path.is_file():
        return files.sha256(path)
    parts = [f"{each.name} {files.sha256(each)}" for each in _array_files(path)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _array_files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.glob("*.npy"))


if __name__ == "__main__":
    cli.run(main)
