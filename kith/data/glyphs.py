"""The characters that the DejaVu fonts can draw: one picture a character and typeface, its name and description."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from fontTools.ttLib import TTFont
from PIL import ImageFont

from kith.data import characters, drawn
from kith.data.items import ITEMS, TAXONOMY, Dataset
from kith.data.store import Sink
from kith.errors import KithError

# A character that is shown in one typeface only is shown in the first of these that has it.
SEEN = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique"),
    *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic"),
    *("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique", "DejaVuSansMono-BoldOblique"),
)
UNSEEN = "STIXGeneral"

# Shares of the side: the em, the height of the baseline (a line of text is in the middle), the free margin.
EM, BASELINE, MARGIN = 0.75, 0.27, 0.05


def build(fonts: Path, pictures: Sink, *, sample: int | None, test: int, val: int, seed: int) -> Dataset:
    """Draw the characters into `pictures` and describe them.

    `fonts` holds <face>.ttf for the faces SEEN and UNSEEN. Of all characters that SEEN can draw, or of
    `sample` of them taken by chance, `test` and `val` are held out and shown in one face each; the others,
    those to train on, are shown in every face that has them, and up to `test` of them once more in UNSEEN,
    as the split test_typeface. Items are in the order of code points, then of faces.

    Raises KithError where a font is missing or there are too few characters.
    """
    side, _, channels = pictures.shape
    faces = [Face(fonts / f"{name}.ttf", side) for name in SEEN]
    unseen = Face(fonts / f"{UNSEEN}.ttf", side)
    codes = sorted(set().union(*(face.codes for face in faces)))
    # Labels depend on how many characters share them; decided before sampling, they do not change with it.
    places = dict(zip(codes, characters.places([chr(code) for code in codes]).values(), strict=True))
    generator = np.random.default_rng(seed)
    split_of = _split(drawn.sample(codes, sample, generator), test, val, generator)
    trained = [code for code, split in split_of.items() if split == "train" and code in unseen.codes]
    again = set(generator.permutation(trained)[:test].tolist())
    drawings = list(_drawings(split_of, faces, again, unseen))
    rows = [pictures.append(np.repeat(face.draw(chr(code)), channels, axis=2)) for code, _, face in drawings]
    return _describe(drawings, places, rows)


Drawing = tuple[int, str, "Face"]


def _split(codes: list[int], test: int, val: int, generator: np.random.Generator) -> dict[int, str]:
    """Code point → train, val or test, in the order of `codes`."""
    drawn.check_enough(len(codes), test, val)
    names = np.repeat(["test", "val", "train"], [test, val, len(codes) - test - val])
    return dict(zip(codes, generator.permutation(names).tolist(), strict=True))


def _drawings(split_of: dict[int, str], faces: list["Face"], again: set[int], unseen: "Face") -> Iterator[Drawing]:
    """(code point, split, face) of every picture."""
    for code, split in split_of.items():
        having = [face for face in faces if code in face.codes]
        yield from ((code, split, face) for face in (having if split == "train" else having[:1]))
        if code in again:
            yield code, "test_typeface", unseen


def _describe(drawings: list[Drawing], places: dict[int, characters.Place], rows: list[int]) -> Dataset:
    codes, splits, faces = zip(*drawings, strict=True)
    texts = {code: characters.texts(chr(code)) for code in set(codes)}
    names = [places[code].label for code in codes]
    groups = [f"U+{code:04X}" for code in codes]
    columns = {
        "id": [f"{group}/{face.name}" for group, face in zip(groups, faces, strict=True)],
        "split": splits,
        "label": np.unique(names, return_inverse=True)[1],
        "label_name": names,
        "texts": [texts[code] for code in codes],
        "group": groups,
        "image_row": rows,
    }
    edges = characters.edges([places[code] for code in codes])
    taxonomy = [dict(zip(TAXONOMY.names, edge, strict=True)) for edge in edges]
    return Dataset(pa.table(columns, schema=ITEMS), pa.Table.from_pylist(taxonomy, schema=TAXONOMY))


class Face:
    """A typeface that draws single characters as `side`×`side` pictures, white ink on black."""

    def __init__(self, path: Path, side: int) -> None:
        if not path.exists():
            raise KithError(f"{path}: no such font; run the fetch stage again")
        self.path, self.name, self.side = path, path.stem, side
        self.margin = max(1, round(MARGIN * side))
        self._sizes: dict[float, ImageFont.FreeTypeFont] = {}

    @cached_property
    def codes(self) -> frozenset[int]:
        """The printable characters that the font has a glyph with ink for."""
        with TTFont(self.path, lazy=True) as font:
            start, number = font["loca"].locations, font.getReverseGlyphMap()
            inked = {glyph for glyph, i in number.items() if start[i] < start[i + 1] and glyph != ".notdef"}
            mapped = font.getBestCmap().items()
            return frozenset(code for code, glyph in mapped if glyph in inked and characters.printable(chr(code)))

    def draw(self, character: str) -> np.ndarray:
        """Greys (side, side, 1), uint8.

        One scale for all and one baseline, so that a comma stays small and low; only a glyph that would cross
        the margin is shrunk or moved until it does not. Sideways the ink is in the middle.
        """
        size = EM * self.side
        room = self.side - 2 * self.margin
        ink, top = self._ink(character, size)
        while max(ink.shape) > room:
            size = min(size * room / max(ink.shape), size - 0.25)
            ink, top = self._ink(character, size)
        height, width = ink.shape
        first = np.clip(round((1 - BASELINE) * self.side) + top, self.margin, self.side - self.margin - height)
        left = (self.side - width) // 2
        picture = np.zeros((self.side, self.side, 1), dtype=np.uint8)
        picture[first : first + height, left : left + width, 0] = ink
        return picture

    def _ink(self, character: str, size: float) -> tuple[np.ndarray, int]:
        """The inked rectangle of the glyph and the row of its top below the baseline (negative: above)."""
        if size not in self._sizes:
            engine = ImageFont.Layout.BASIC
            self._sizes[size] = ImageFont.truetype(self.path, size, layout_engine=engine)
        mask, (_, offset) = self._sizes[size].getmask2(character, mode="L", anchor="ls")
        ink = np.array(mask, dtype=np.uint8).reshape(mask.size[::-1])
        rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], int(offset + rows[0])
