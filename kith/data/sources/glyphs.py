"""The characters of the fonts that come with matplotlib, drawn (see kith.data.glyphs)."""

import hashlib
import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kith.data.digests import sha256
from kith.data.kinds import FONTS, Drawn, drawing
from kith.data.source import Options
from kith.errors import KithError

if TYPE_CHECKING:
    from kith.data.items import Dataset
    from kith.data.store import Sink


@dataclass(frozen=True, kw_only=True)
class Typefaces(Drawn):
    """Characters in the typefaces that come with matplotlib."""

    @property
    def terms(self) -> str:
        return "DejaVu and STIX font licences"

    def pin(self, fetch: Options, folder: Path) -> dict[str, Any]:
        """Copy the typefaces and their licences out of matplotlib."""
        from fontTools.ttLib import TTFont
        from matplotlib import get_data_path

        from kith.data.glyphs import SEEN, UNSEEN

        fonts = [f"{name}.ttf" for name in (*SEEN, UNSEEN)]
        licences = ["LICENSE_DEJAVU", "LICENSE_STIX"]
        _copy(Path(get_data_path()) / "fonts" / "ttf", folder / FONTS, [*fonts, *licences])
        described = []
        for name in fonts:
            with TTFont(folder / FONTS / name, lazy=True) as font:
                version = font["name"].getDebugName(5)
            described.append({"name": name, "version": version, "sha256": sha256(folder / FONTS / name)})
        return {
            "path": FONTS,
            "sha256": hashlib.sha256("".join(font["sha256"] for font in described).encode()).hexdigest(),
            "bytes": sum((folder / FONTS / name).stat().st_size for name in fonts),
            "rows": len(fonts),
            "licence": "DejaVu (Bitstream Vera) and STIX font licences: "
            + ", ".join(f"{FONTS}/{name}" for name in licences),
            "origin": f"matplotlib {metadata.version('matplotlib')}",
            "fonts": described,
        }

    def draw(self, fetch: Options, prepare: Options, raw: Path, pictures: "Sink") -> "Dataset":
        from kith.data import glyphs

        return glyphs.build(raw / FONTS, pictures, **drawing(prepare))


def _copy(installed: Path, folder: Path, names: list[str]) -> None:
    folder.mkdir()
    for name in names:
        if not (installed / name).exists():
            raise KithError(f"{installed / name}: not installed; install the matplotlib that requirements.txt names")
        shutil.copyfile(installed / name, folder / name)


SOURCES = (Typefaces(name="glyphs", layout="drawn from matplotlib's fonts"),)
