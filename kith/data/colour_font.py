"""The pictures of a colour font: its characters, joined ones too, in all their layers or in some."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from fontTools.ttLib import TTFont, newTable
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable
from PIL import Image, ImageDraw, ImageFont

from kith.errors import KithError

SELECTOR = "\N{VARIATION SELECTOR-16}"  # asks for the coloured form; a font may do without
PRIVATE = 0xF0000  # code points that Unicode leaves to everyone
LIGATURE = 4  # the type of a lookup that joins characters

Colour = tuple[int, int, int, int]  # red, green, blue, alpha
CLEAR: Colour = (0, 0, 0, 0)


class ColourFont:
    """A font whose glyphs are layers of one colour each (COLR version 0).

    layers: glyph → the colours that it is drawn in, as numbers of `palette`.
    place: glyph → a character that stands for it alone in `drawing_in`.

    Pillow joins characters only with a library that is not everywhere. So the joined ones are looked up here, and what
    it draws from is a copy in which every glyph has a character of its own.

    Raises KithError where the file is missing.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise KithError(f"{path}: no such font; run the fetch stage again")
        self._path = path
        with TTFont(path, lazy=True) as font:
            self._glyphs, self._joined = font.getBestCmap(), dict(_joined(font))
            layers = font["COLR"].ColorLayers.items()
            self.layers = {glyph: frozenset(layer.colorID for layer in each) for glyph, each in layers}
            self.palette: list[Colour] = [(c.red, c.green, c.blue, c.alpha) for c in font["CPAL"].palettes[0]]
            self.ascent, self.descent, self.em = font["hhea"].ascent, font["hhea"].descent, font["head"].unitsPerEm
        self.place = {glyph: chr(PRIVATE + place) for place, glyph in enumerate(sorted(self.layers))}

    def glyph(self, text: str) -> str | None:
        """The glyph of `text`, one character or several joined ones; None where it has none."""
        for written in (text, text.replace(SELECTOR, "")):
            parts = tuple(self._glyphs.get(ord(character), "") for character in written)
            found = parts[0] if len(parts) == 1 else self._joined.get(parts)
            if found:
                return found
        return None

    def drawing_in(self, palette: list[Colour]) -> bytes:
        """The font with this palette, and its coloured glyphs at the characters of `place`."""
        with TTFont(self._path, lazy=True) as font:  # anew: what is not looked at is copied as it is
            colours = font["CPAL"].palettes[0]
            colours[:] = [type(colours[0])(blue, green, red, alpha) for red, green, blue, alpha in palette]
            font["cmap"] = table = newTable("cmap")
            table.tableVersion, table.tables = 0, [_characters(self.place)]
            del font["GSUB"]
            content = io.BytesIO()
            font.save(content, reorderTables=None)
        return content.getvalue()


class Style:
    """Characters of `font` as `side`×`side` pictures on white, in those of its `colours` alone; None: in all."""

    def __init__(self, font: ColourFont, side: int, name: str, colours: frozenset[Colour] | None = None) -> None:
        self.name, self.side, self._font = name, side, font
        palette = [colour if colours is None or colour in colours else CLEAR for colour in font.palette]
        self._drawn = {number for number, colour in enumerate(palette) if colour != CLEAR}
        line = font.ascent - font.descent  # the side of the square that each character is designed in
        self._baseline = round(side * font.ascent / line)
        size = side * font.em / line
        content = io.BytesIO(font.drawing_in(palette))
        self._pillow = ImageFont.truetype(content, size, layout_engine=ImageFont.Layout.BASIC)

    def has(self, text: str) -> bool:
        """Whether `text` can be drawn: there is something of it in these colours."""
        return not self._drawn.isdisjoint(self._font.layers.get(self._font.glyph(text) or "", ()))

    def draw(self, text: str, mode: str) -> np.ndarray:
        """(side, side, C) uint8 of a `text` that it has; C is 3 for the mode RGB, 1 for L."""
        canvas = Image.new("RGB", (self.side, self.side), "white")
        character = self._font.place[str(self._font.glyph(text))]
        pen = ImageDraw.Draw(canvas)
        pen.text((0, self._baseline), character, font=self._pillow, embedded_color=True, anchor="ls")
        return np.asarray(canvas.convert(mode)).reshape(self.side, self.side, -1)


def _joined(font: TTFont) -> Iterator[tuple[tuple[str, ...], str]]:
    """(glyphs, the glyph that stands for them joined) of the font."""
    for lookup in font["GSUB"].table.LookupList.Lookup:
        for table in lookup.SubTable if lookup.LookupType == LIGATURE else ():
            for first, found in table.ligatures.items():
                yield from (((first, *each.Component), each.LigGlyph) for each in found)


def _characters(place: Mapping[str, str]) -> Any:
    """The font's table of characters, for those beyond the first 65,536 (format 12)."""
    table = CmapSubtable.newSubtable(12)
    table.platformID, table.platEncID, table.language = 3, 10, 0  # Windows, all of Unicode
    table.reserved = table.length = table.nGroups = 0  # counted when the table is written
    table.cmap = {ord(character): glyph for glyph, character in place.items()}
    return table
