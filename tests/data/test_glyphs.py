"""The glyphs source: what is drawn, what is written of it, how it is split."""

import unicodedata
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

from kith.data import characters, glyphs, items
from kith.data.problems import Problems
from kith.data.store import ImageWriter
from kith.errors import KithError

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def build(folder: Path, side: int = 24, mode: str = "L", **options):
    wanted = {"sample": 150, "test": 20, "val": 10, "seed": 0} | options
    with ImageWriter(folder / "images.npy", side, mode) as pictures:
        dataset = glyphs.build(FONTS, pictures, **wanted)
    problems = Problems("glyphs")
    items.check(dataset, pictures.count, problems)
    problems.raise_any()
    return dataset, np.load(folder / "images.npy")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    dataset, images = build(tmp_path_factory.mktemp("glyphs"))
    return dataset, dataset.items.to_pandas(), images


@pytest.fixture(scope="module")
def sans():
    return glyphs.Face(FONTS / "DejaVuSans.ttf", 32)


def extent(picture: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(picture.any(axis=(1, 2))), np.flatnonzero(picture.any(axis=(0, 2)))
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


@pytest.mark.parametrize("character", "Eg.é")
def test_a_glyph_is_drawn_as_pillow_draws_text(sans, character):
    canvas = Image.new("L", (32, 32))
    font = ImageFont.truetype(FONTS / "DejaVuSans.ttf", 24, layout_engine=ImageFont.Layout.BASIC)
    ImageDraw.Draw(canvas).text((8, 23), character, fill=255, font=font, anchor="ls")
    top, bottom, left, right = extent(np.asarray(canvas)[..., None])
    drawn = sans.draw(character)
    first, last, start, end = extent(drawn)
    assert (first, last) == (top, bottom)
    assert abs(start - (31 - end)) <= 1  # in the middle sideways
    np.testing.assert_array_equal(
        drawn[first : last + 1, start : end + 1, 0], np.asarray(canvas)[top : bottom + 1, left : right + 1]
    )


def test_positions_and_sizes_tell_characters_apart(sans):
    place = {character: extent(sans.draw(character)) for character in ",'_¯-oO"}
    assert place[","][0] > place["-"][1] > place["'"][1]
    assert place["_"][0] > place["-"][1]
    assert place["¯"][1] < place["-"][0]
    assert place["O"][1] - place["O"][0] > place["o"][1] - place["o"][0]


@pytest.mark.parametrize("side", [8, 32])
@pytest.mark.parametrize("name", ["DejaVuSans-BoldOblique", "STIXGeneral"])
def test_no_glyph_is_clipped_or_empty(name, side):
    """The largest and most slanted ones, by the outlines in the font, and some others."""
    face = glyphs.Face(FONTS / f"{name}.ttf", side)
    with TTFont(FONTS / f"{name}.ttf") as font:
        names, outlines = font.getBestCmap(), font["glyf"]
        size = {code: max(outlines[names[code]].xMax, outlines[names[code]].yMax) for code in face.codes}
    largest = sorted(face.codes, key=lambda code: (-size[code], code))[:150]
    for code in [*largest, *sorted(face.codes)[::100]]:
        picture = face.draw(chr(code))
        assert picture.shape == (side, side, 1)
        assert picture[1:-1, 1:-1].any()
        assert picture.sum() == picture[1:-1, 1:-1].sum()


def test_only_printable_characters_with_ink_are_drawn(sans):
    with TTFont(FONTS / "DejaVuSans.ttf") as font:
        mapped = font.getBestCmap()
    assert sans.codes < set(mapped)
    for code in sans.codes:
        assert unicodedata.category(chr(code))[0] in "LNPS"
        assert mapped[code] != ".notdef"
    for blank in (0x20, 0xA0, 0x301, 0x2800, 0xE000, 0xFE0F):
        assert blank not in sans.codes
    assert {0x41, 0xE9, 0x2192, 0x2801} <= sans.codes


@pytest.mark.parametrize(
    ("character", "text"),
    [
        ("é", "Latin small letter e with acute. Lowercase letter, Latin script, e with combining acute accent."),
        ("Δ", "Greek capital letter delta. Uppercase letter, Greek script."),
        ("ﺎ", "Arabic letter alef final form. Letter without case, Arabic script, final form of alef."),
        ("→", "Rightwards arrow. Mathematical symbol, Arrows block."),
        ("!", "Exclamation mark. Punctuation mark, Basic Latin block."),
        ("②", "Circled digit two. Number form, Enclosed Alphanumerics block, circled digit two."),
        ("𝐠", "Mathematical bold small g. Lowercase letter, Latin script, font variant of g."),
        ("ﬁ", "Latin small ligature fi. Lowercase letter, Latin script, made of f and i."),
        ("\u212b", "Angstrom sign. Uppercase letter, Latin script, a with combining ring above."),
        ("\u2126", "Ohm sign. Uppercase letter, Greek script, same as omega."),
    ],
)
def test_description(character, text):
    assert characters.describe(character) == text


def test_a_character_has_its_name_and_its_description_in_every_face(small):
    _, frame, _ = small
    for row in frame.itertuples():
        character = chr(int(row.group[2:], 16))
        name = unicodedata.name(character).capitalize()
        assert list(row.texts) == [name, characters.describe(character)]
        assert row.texts[1].startswith(f"{name}. ")


@pytest.mark.parametrize("character", "a±ᕀ日가")
def test_descriptions_do_not_give_the_code_point(character):
    assert f"{ord(character):04x}" not in characters.describe(character).lower().split(".")[1]


@pytest.fixture(scope="module")
def places(sans):
    return characters.places([chr(code) for code in sorted(sans.codes)])


@pytest.mark.parametrize(
    ("character", "place"),
    [
        ("ế", ("Letters", "Latin", "lowercase letter", "Latin small letter e")),
        ("ø", ("Letters", "Latin", "lowercase letter", "Latin small letter o")),
        ("ɯ", ("Letters", "Latin", "lowercase letter", "Latin small letter m")),
        ("ᵃ", ("Letters", "Latin", "lowercase letter", "Latin small letter a")),
        ("Ἄ", ("Letters", "Greek", "uppercase letter", "Greek capital letter alpha")),
        ("²", ("Numbers", "Common", "decimal digit", "Digit two")),
        ("ᐁ", ("Letters", "Canadian Aboriginal", "letter without case", "Canadian Aboriginal (letter without case)")),
        ("⟵", ("Symbols", "Common", "mathematical symbol", "Arrows (mathematical symbol)")),
        ("€", ("Symbols", "Common", "currency symbol", "Common (currency symbol)")),
        ("_", ("Punctuation", "Various", "connector", "Other (connector)")),
    ],
)
def test_place(places, character, place):
    assert places[character] == place


def test_labels_are_shared_and_each_has_one_place(places):
    found = list(places.values())
    assert len({place.label for place in found}) == len(set(found)) < 300
    rare = [place for place in set(found) if found.count(place) < characters.RARE]
    assert all(place.script == "Various" for place in rare)


def test_taxonomy_is_a_tree_whose_leaves_are_the_labels(small):
    dataset, frame, _ = small
    edges = dataset.taxonomy.to_pandas()
    assert edges["child"].is_unique
    assert set(edges["parent"]) - set(edges["child"]) == {characters.ROOT}
    assert set(edges["child"]) - set(edges["parent"]) == set(frame["label_name"])
    parent = edges.set_index("child")["parent"]
    for node in set(frame["label_name"]):
        path = [node]
        while path[-1] in parent.index:
            path.append(parent[path[-1]])
        assert len(path) == 5


def test_characters_are_split_not_pictures(small):
    _, frame, _ = small
    groups = frame.groupby("split")["group"].nunique().to_dict()
    assert groups == {"train": 120, "val": 10, "test": 20, "test_typeface": 20}
    sets = {split: set(part["group"]) for split, part in frame.groupby("split")}
    assert not sets["train"] & (sets["val"] | sets["test"])
    assert not sets["val"] & sets["test"]
    assert sets["test_typeface"] <= sets["train"]


def test_held_out_characters_have_one_picture_in_the_first_face_that_has_them(small):
    _, frame, _ = small
    face = frame["id"].str.split("/").str[1]
    codes = {name: glyphs.Face(FONTS / f"{name}.ttf", 24).codes for name in glyphs.SEEN}
    for row in frame[frame["split"].isin(["val", "test"])].itertuples():
        first = next(name for name in glyphs.SEEN if int(row.group[2:], 16) in codes[name])
        assert row.id == f"{row.group}/{first}"
    assert not frame[frame["split"].isin(["val", "test"])]["group"].duplicated().any()
    trained = frame[frame["split"] == "train"].groupby("group").size()
    assert all(
        trained[group] == sum(int(group[2:], 16) in known for known in codes.values()) for group in trained.index
    )
    assert set(face[frame["split"] == "test_typeface"]) == {glyphs.UNSEEN}
    assert glyphs.UNSEEN not in set(face[frame["split"] != "test_typeface"])


def test_pictures_are_those_of_the_items_and_stored_once(small):
    _, frame, images = small
    assert len(np.unique(images, axis=0)) == len(images)
    for row in frame.iloc[::40].itertuples():
        code, face = row.id.removeprefix("U+").split("/")
        np.testing.assert_array_equal(
            images[row.image_row], glyphs.Face(FONTS / f"{face}.ttf", 24).draw(chr(int(code, 16)))
        )


def test_same_seed_same_bytes_other_seed_other_characters(small, tmp_path):
    dataset, frame, images = small
    again, pictures = build(tmp_path)
    assert again.items.equals(dataset.items)
    assert again.taxonomy.equals(dataset.taxonomy)
    assert pictures.tobytes() == images.tobytes()
    other = build(tmp_path, seed=1)[0].items["group"].to_pylist()
    assert set(other) != set(frame["group"])


def test_colour_repeats_the_grey(small, tmp_path):
    dataset, images = build(tmp_path, mode="RGB")
    assert (images == small[2]).all()
    assert images.shape[-1] == 3
    assert dataset.items.equals(small[0].items)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"sample": 30}, "cannot give 20 for test, 10 for val"), ({"sample": 10**6}, "the fonts draw 6,")],
)
def test_too_few_characters(tmp_path, options, message):
    with pytest.raises(KithError, match=message):
        build(tmp_path, **options)


def test_missing_fonts(tmp_path):
    with (
        ImageWriter(tmp_path / "images.npy", 8, "L") as pictures,
        pytest.raises(KithError, match=r"DejaVuSans.ttf: no such font"),
    ):
        glyphs.build(tmp_path, pictures, sample=9, test=1, val=1, seed=0)
