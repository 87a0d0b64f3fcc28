"""The characters of the fonts that come with matplotlib, drawn (see kith.data.glyphs)."""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kith.data.digests import sha256
from kith.data.source import Options, Source
from kith.errors import KithError

if TYPE_CHECKING:
    from kith.data.items import Dataset
    from kith.data.store import Sink

FONTS = "fonts"  # the folder beside source.json that they are copied to


@dataclass(frozen=True, kw_only=True)
class Drawn(Source):
    """Pictures that are drawn: there is nothing to bring, and at `fetch.path` is the program."""

    @property
    def own_options(self) -> frozenset[str]:
        return frozenset()

    @property
    def terms(self) -> str:
        return "DejaVu and STIX font licences"

    @property
    def origin(self) -> str:
        return "nothing to get"

    def location(self, fetch: Options) -> str:
        return FONTS

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

    def check(self, fetch: Options, pinned: Mapping[str, Any]) -> None:
        """The fonts are those that were copied."""

    def count(self, fetch: Options, pinned: Mapping[str, Any]) -> int:
        return 0  # few enough; what was pinned are the typefaces

    def build(self, fetch: Options, prepare: Options, raw: Path, pictures: "Sink") -> "Dataset":
        from kith.data import glyphs, items
        from kith.data.problems import Problems

        wanted = prepare["glyphs"]
        dataset = glyphs.build(
            raw / FONTS,
            pictures,
            sample=wanted["characters"],
            test=wanted["test"],
            val=wanted["val"],
            seed=prepare["seed"],
        )
        problems = Problems(self.name)
        items.check(dataset, pictures.count, problems)
        problems.raise_any()
        return dataset


def _copy(installed: Path, folder: Path, names: list[str]) -> None:
    folder.mkdir()
    for name in names:
        if not (installed / name).exists():
            raise KithError(f"{installed / name}: not installed; install the matplotlib that requirements.txt names")
        shutil.copyfile(installed / name, folder / name)


SOURCES = (Drawn(name="glyphs", layout="drawn from matplotlib's fonts"),)
