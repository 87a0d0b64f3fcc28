"""Pin the raw data: copy the fonts, or note what the user's table is."""

import hashlib
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from kith.data import edges, readers, table
from kith.data.rows import Columns
from kith.errors import KithError
from stages import cli, files, params

FONTS = "fonts"


def main(*, out: Path) -> None:
    """Write source.json, which says what the data are, into a directory; fonts are copied beside it."""
    fetch = params.load().fetch
    with files.replacing(out) as folder:
        folder.mkdir()
        source = _glyphs(folder / FONTS) if fetch.source == "glyphs" else _table(fetch)
        files.write_json(folder / "source.json", {"source": fetch.source, **source})


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
    table.check_columns(fetch.path, Columns(**fetch.columns.model_dump()))
    if fetch.image_root is not None and not fetch.image_root.is_dir():
        raise KithError(f"{fetch.image_root}: no such directory; mend fetch.image_root")
    rows = readers.count(fetch.path)
    if not rows:
        raise KithError(f"{fetch.path}: the table has no rows")
    source: dict[str, Any] = {
        "path": fetch.path.as_posix(),
        "sha256": files.sha256(fetch.path),
        "bytes": fetch.path.stat().st_size,
        "rows": rows,
        "licence": fetch.licence,
    }
    if fetch.taxonomy is not None:
        edges.read(fetch.taxonomy)
        source["taxonomy"] = {"path": fetch.taxonomy.as_posix(), "sha256": files.sha256(fetch.taxonomy)}
    return source


if __name__ == "__main__":
    cli.run(main)
