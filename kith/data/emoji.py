"""Emoji drawn from OpenMoji's colour font: one picture an emoji and style, its names in several languages."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from kith.data import drawn
from kith.data.colour_font import ColourFont, Style
from kith.data.emoji_names import ROOT, Names, family, groups
from kith.data.items import ITEMS, TAXONOMY, Dataset
from kith.data.store import Sink

FONT = "OpenMoji-Color.ttf"
SEEN, UNSEEN = "colour", "black"
# OpenMoji's black emoji are the black lines of the coloured ones, which lie in layers of their own.
BLACK = frozenset({(0, 0, 0, 255)})


def build(
    fonts: Path,
    names: Path,
    pictures: Sink,
    *,
    languages: Sequence[str],
    sample: int | None,
    test: int,
    val: int,
    seed: int,
) -> Dataset:
    """Draw emoji into `pictures` and describe them.

    `fonts` holds FONT, `names` the files of the package emoji. Of all emoji, or of `sample` of them taken by chance,
    up to `test` and `val` are held out; all are shown in colour, and up to `test` of those to train on once more by
    their black lines alone, as the split test_style. Emoji that differ in gender, hair or direction alone are in one
    split. Of emoji with one picture the first is taken; in test_style there is no picture that another item has. Items
    are in Unicode's order, then of styles.

    Raises KithError where a file is missing or there are too few emoji.
    """
    side, mode = pictures.shape[0], pictures.mode
    font, known = ColourFont(fonts / FONT), Names(names, languages)
    colour, black = Style(font, side, SEEN), Style(font, side, UNSEEN, BLACK)
    texts = {emoji: known.texts(emoji) for emoji in groups()}
    shown: dict[bytes, str] = {}
    for emoji, look in _looks([emoji for emoji in texts if texts[emoji]], colour, mode).items():
        shown.setdefault(look, emoji)
    lines = _looks(list(shown.values()), black, mode)
    times = Counter([*shown, *lines.values()])
    generator = np.random.default_rng(seed)
    split_of = _split(drawn.sample(list(shown.values()), sample, generator), test, val, generator)
    trained = [emoji for emoji, split in split_of.items() if split == "train" and times[lines.get(emoji, b"")] == 1]
    again = {trained[place] for place in generator.permutation(len(trained))[:test]}
    drawings = list(_drawings(split_of, colour, again, black))
    rows = [pictures.append(style.draw(emoji, mode)) for emoji, _, style in drawings]
    return _describe(drawings, texts, rows)


Drawing = tuple[str, str, Style]


def _looks(emoji: list[str], style: Style, mode: str) -> dict[str, bytes]:
    """Emoji → what stands for its picture, of those that can be drawn."""
    return {each: hashlib.sha256(style.draw(each, mode).tobytes()).digest() for each in emoji if style.has(each)}


def _split(emoji: list[str], test: int, val: int, generator: np.random.Generator) -> dict[str, str]:
    """Emoji → train, val or test, in their order: families by chance, each into the first that has room for it."""
    drawn.check_enough(len(emoji), test, val)
    families: dict[str, list[str]] = {}
    for each in emoji:
        families.setdefault(family(each), []).append(each)
    members = list(families.values())
    room = {"test": test, "val": val, "train": len(emoji)}
    split_of = {}
    for place in generator.permutation(len(members)):
        split = next(name for name, left in room.items() if left >= len(members[place]))
        room[split] -= len(members[place])
        split_of.update(dict.fromkeys(members[place], split))
    return {each: split_of[each] for each in emoji}


def _drawings(split_of: dict[str, str], colour: Style, again: set[str], black: Style) -> Iterator[Drawing]:
    """(emoji, split, style) of every picture."""
    for emoji, split in split_of.items():
        yield emoji, split, colour
        if emoji in again:
            yield emoji, "test_style", black


def _describe(drawings: list[Drawing], texts: dict[str, list[str]], rows: list[int]) -> Dataset:
    emoji, splits, styles = zip(*drawings, strict=True)
    names = [groups()[each][1] for each in emoji]
    codes = ["-".join(f"{ord(character):04X}" for character in each) for each in emoji]
    columns = {
        "id": [f"{code}/{style.name}" for code, style in zip(codes, styles, strict=True)],
        "split": splits,
        "label": np.unique(names, return_inverse=True)[1],
        "label_name": names,
        "texts": [texts[each] for each in emoji],
        "group": codes,
        "image_row": rows,
    }
    places = {groups()[each] for each in emoji}
    unique = {edge for group, subgroup in places for edge in ((ROOT, group), (group, subgroup))}
    taxonomy = [dict(zip(TAXONOMY.names, (parent, child, child), strict=True)) for parent, child in sorted(unique)]
    return Dataset(pa.table(columns, schema=ITEMS), pa.Table.from_pylist(taxonomy, schema=TAXONOMY))
