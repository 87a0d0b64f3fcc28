"""Searching runs, as a library and on the command line."""

import io
import json
import logging
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from PIL import Image

from kith import models
from kith.data import loader
from kith.data.digests import sha256
from kith.errors import KithError
from kith.inference.raw import RawInputs
from kith.search import Prepared, Query, Run, answer, pictures
from kith.search.shown import ShownItems
from kith.text.tokens import Vocabulary
from stages import cli
from stages.search import main, table
from tests import made_search
from tests.made_notes import put_items, seal, seal_run
from tests.made_search import HELD_OUT, MARKUP
from tests.stages.tracking.test_tracking import run_method

GREY = {"channels": 1, "size": 16, "fit": "pad"}


def raw(image: dict) -> RawInputs:
    """Of a model with this image side."""
    return RawInputs({"image": image, "text": None}, Vocabulary([]), 0)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises width × height pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("search")
    made_search.make_data(root)
    made_search.make_run(root, "pairs-0")
    made_search.make_run(root, "classes-0", texts=False)
    made_search.make_run(root, "codes-0", codes=True)
    return root


@pytest.fixture(scope="module")
def data(made) -> Prepared:
    return Prepared(made / "data/made/prepared")


@pytest.fixture(scope="module")
def run(made, data) -> Run:
    return Run(made / "runs/made/pairs-0", data)


@pytest.fixture
def copy(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def ids(found: dict) -> list[str]:
    return [result["id"] for result in found["results"]]


def test_a_picture_finds_its_item(run, data):
    for row in (30, 41):
        found = answer(run, Query(image=ShownItems(data).picture(row), count=3))["results"]
        assert (found[0]["row"], found[0]["rank"], len(found)) == (row, 1, 3)
        assert found[0]["similarity"] == pytest.approx(1, abs=1e-5)


def test_a_text_finds_its_item_among_texts(run, data):
    text = ShownItems(data).describe(40)["texts"][1]
    found = answer(run, Query(text=text, side="text"))
    assert found["results"][0]["similarity"] == pytest.approx(1, abs=1e-5)
    assert text in found["results"][0]["texts"]
    assert len(ids(found)) == len(set(ids(found))) == HELD_OUT
    assert found["unknown_words"] == []


def test_all_similarities_are_those_of_the_embeddings(made, run):
    vectors = np.load(made / "runs/made/pairs-0/embeddings_image.npy")
    found = answer(run, Query(text="a red cross", count=100))["results"]
    similar = vectors @ run.text_vector("a red cross")
    np.testing.assert_allclose([result["similarity"] for result in found], np.sort(similar)[::-1], atol=2e-6)
    rows = [result["row"] for result in found]
    np.testing.assert_array_equal(rows, 24 + np.argsort(-np.round(similar.astype(float), 6), kind="stable"))


def test_an_item_finds_others(run):
    found = answer(run, Query(item="item/30", count=100))
    assert set(ids(found)) == {f"item/{i}" for i in range(24, 48)} - {"item/30"}
    once = answer(run, Query(item="item/30", count=100, one_per_group=True))
    assert len(ids(once)) == 12
    assert ids(once)[0] == ids(found)[0]


def test_words_that_the_model_never_saw_are_told(run):
    assert answer(run, Query(text="A frobnicated red cross", count=1))["unknown_words"] == ["frobnicated"]
    with pytest.raises(KithError, match="no word"):
        run.text_vector(" 12 !")
    with pytest.raises(KithError, match="pairs-0 knows none of the words 'frobnicated', 'zebra': it has no answer"):
        answer(run, Query(text="Frobnicated zebra!"))


def test_words_without_spaces_between_them_are_known_by_their_parts(copy):
    folder = copy / "runs/made/pairs-0"
    model, vocabulary, _ = models.load(folder / "model.pt")
    words = ["红", "红色", "色", *vocabulary.words[3:]]
    (folder / "model.pt").write_bytes(models.save(model, Vocabulary(words), 12, {}))
    seal_run(folder, sha256(copy / "data/made/prepared/dataset.json"))
    run = Run(folder, Prepared(copy / "data/made/prepared"))
    found = answer(run, Query(text="红色的猫", count=1))
    assert found["unknown_words"] == ["的", "猫"]
    assert np.isfinite(run.text_vector("红色")).all()


def test_one_thing_is_asked_at_a_time(run):
    with pytest.raises(KithError, match="one of a text, an image and an item"):
        answer(run, Query(text="red", item="item/30"))
    with pytest.raises(KithError, match="no item has the id 'nobody'"):
        answer(run, Query(item="nobody"))
    with pytest.raises(KithError, match=r"'item/03' was not embedded; .*--embed-all"):
        answer(run, Query(item="item/03"))


def test_a_run_of_classes_is_searched_by_pictures(made, data):
    classes = Run(made / "runs/made/classes-0", data)
    assert (classes.asks, classes.sides) == (["image", "item"], ["image"])
    assert ids(answer(classes, Query(image=ShownItems(data).picture(33), count=1))) == ["item/33"]
    with pytest.raises(KithError, match="classes-0 cannot be searched by text, only by image or item"):
        answer(classes, Query(text="red cross"))
    with pytest.raises(KithError, match="classes-0 embedded no texts"):
        answer(classes, Query(item="item/33", side="text"))


def test_a_run_of_codes_is_searched_by_hamming_distance(made, data):
    codes = Run(made / "runs/made/codes-0", data)
    signs = np.where(np.load(made / "runs/made/codes-0/embeddings_image.npy") >= 0, 1, -1)
    found = answer(codes, Query(item="item/30", count=100))["results"]
    similar = np.delete(signs @ signs[30 - 24] / 16, 30 - 24)
    np.testing.assert_allclose([result["similarity"] for result in found], np.sort(similar)[::-1])


def test_a_run_of_features_is_searched_by_items(tmp_path):
    made_search.make_data(tmp_path, features=True)
    run = made_search.make_run(tmp_path, "features-0", features=True)
    for embed_all, count in ((False, HELD_OUT), (True, 48)):
        features = Run(run, Prepared(tmp_path / "data/made/prepared"), embed_all)
        assert (features.asks, features.sides, len(features.items)) == (["item"], ["image", "text"], count)
        found = answer(features, Query(item="item/40", side="text"))["results"]
        assert not features.shown.has_picture(found[0]["row"])
    with pytest.raises(KithError, match="cannot be searched by image, only by item"):
        features.picture_vector(b"")


def test_all_items_are_embedded_once(made, copy, data, monkeypatch):
    folder, cache = copy / "runs/made/pairs-0", copy / "runs/made/pairs-0/search_vectors.npz"
    everything = Run(folder, data, embed_all=True)
    assert len(everything.items) == 48
    assert answer(everything, Query(image=ShownItems(data).picture(3), count=1))["results"][0]["id"] == "item/03"
    assert not [path for path in folder.iterdir() if path.name.endswith(".part")]
    # What was embedded before is embedded the same.
    held_out = {item: vector for vector, item in zip(*vars(everything._sides["image"]).values(), strict=True)}
    expected = np.load(folder / "embeddings_image.npy")
    np.testing.assert_allclose([held_out[item] for item in range(24, 48)], expected, atol=1e-6)

    first = cache.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("kith.search.rows.EmbeddedRows._vectors", None)
        assert len(Run(folder, data, embed_all=True).items) == 48
    shutil.copy(made / "runs/made/codes-0/model.pt", folder)  # another model: the vectors are of no use any more
    with pytest.raises(KithError, match=r"model\.pt: is not the file that the train stage noted"):
        Run(folder, data, embed_all=True)
    seal(copy, "made")
    everything_again = Run(folder, data, embed_all=True)
    assert cache.read_bytes() != first
    for broken in (b"half a file", b""):
        cache.write_bytes(broken)
        assert len(Run(folder, data, embed_all=True).items) == 48
    with np.load(cache) as arrays:
        turned = dict(arrays) | {"image_vectors": arrays["image_vectors"][::-1]}
    np.savez(cache, **turned)
    again = Run(folder, data, embed_all=True)
    np.testing.assert_allclose(again.item_vector(3), everything_again.item_vector(3), atol=1e-6)


def test_where_vectors_cannot_be_kept_the_search_goes_on(copy, data, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kith.rows.npz.os.replace", full)
    with caplog.at_level(logging.WARNING):
        assert len(Run(copy / "runs/made/pairs-0", data, embed_all=True).items) == 48
    assert "search_vectors.npz: not kept for the next time (No space left on device)" in caplog.text
    assert not list((copy / "runs/made/pairs-0").glob(".*"))


def test_faults_of_a_run_are_told(copy, data):
    folder = copy / "runs/made/pairs-0"
    with pytest.raises(KithError, match=r"nobody-3: no such run; there are 'classes-0', 'codes-0', 'pairs-0'"):
        Run(copy / "runs/made/nobody-3", data)
    np.savez(folder / "embedding_rows.npz", image_rows=np.arange(30, 54), text_rows=np.arange(0), codes=False)
    np.save(folder / "embeddings_text.npy", np.zeros((0, 16), np.float32))
    with pytest.raises(KithError, match=r"embeddings_text\.npy: is not the file that the embed stage noted in .*json"):
        Run(folder, data)
    seal(copy, "made")
    with pytest.raises(KithError, match=r"embeddings_image\.npy: 24 vectors, and rows of .*; run the embed stage"):
        Run(folder, data)
    np.savez(folder / "embedding_rows.npz", image_rows=np.arange(24, 48), text_rows=np.arange(0), codes=False)
    np.save(folder / "embeddings_image.npy", np.zeros((24, 3), np.float32))
    seal(copy, "made")
    with pytest.raises(KithError, match=r"embeddings_image\.npy: .*the model gives 16; embed again"):
        Run(folder, data)
    (folder / "embedding_rows.npz").write_bytes(b"no archive")
    seal(copy, "made")
    with pytest.raises(KithError, match=r"embedding_rows\.npz: cannot be read"):
        Run(folder, data)
    (folder / "embedding_rows.npz").unlink()
    with pytest.raises(KithError, match=r"embedding_rows\.npz: no such file; .*--embed-all"):
        Run(folder, data)
    (folder / "model.pt").write_bytes(b"no model")
    with pytest.raises(KithError, match=r"model\.pt: is not the file|not a Kith model"):
        Run(folder, data)
    (copy / "data/made/prepared/items.parquet").write_bytes(b"no table")
    seal(copy, "made")
    with pytest.raises(KithError, match=r"items\.parquet: cannot be read .*; run the prepare stage again"):
        Prepared(copy / "data/made/prepared")
    data.table.drop(columns="group").to_parquet(copy / "data/made/prepared/items.parquet")
    seal(copy, "made")
    with pytest.raises(KithError, match=r"items\.parquet: no column 'group'"):
        Prepared(copy / "data/made/prepared")
    (copy / "data/made/prepared/items.parquet").unlink()
    with pytest.raises(KithError, match=r"items\.parquet: no such file; run the prepare stage"):
        Prepared(copy / "data/made/prepared")


# Pictures from outside


@pytest.mark.parametrize(("width", "height"), [(8000, 8000), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_before_it_is_decoded(width, height, monkeypatch):
    monkeypatch.setattr(loader, "decode", None)
    with pytest.raises(KithError, match=r"more than the limit of 50,000,000|not a picture"):
        pictures.read(bomb(width, height), raw(GREY))


def test_what_is_no_harmless_picture_is_refused(monkeypatch):
    monkeypatch.setattr(loader, "decode", None)
    for data in (b"", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"<svg/>", b"\x89PNG\r\n\x1a\n"):
        with pytest.raises(KithError, match="not a picture that can be read"):
            pictures.read(data, raw(GREY))
    with pytest.raises(KithError, match="16,777,217 bytes, more than"):
        pictures.read(bytes(pictures.MAX_BYTES + 1), raw(GREY))
    monkeypatch.undo()
    with pytest.raises(KithError):  # the header is whole, the rest is not
        pictures.read(bomb(900, 900), raw(GREY))


def test_ink_on_paper_is_inverted_for_light_on_dark():
    ink = np.full((20, 40), 255, np.uint8)
    ink[5:15, 10:30] = 0
    for brightness, invert, inverted in ((0.1, None, True), (0.5, None, False), (0.1, False, False), (0.5, True, True)):
        pixels = pictures.read(png(ink), raw(GREY), brightness, invert)[:, :, 0]
        assert (pixels[8, 8], pixels[5, 1]) == ((255, 0) if inverted else (0, 255))
        assert pixels[1, 8] == 0  # the bar that makes it square
    assert pictures.read(png(255 - ink), raw(GREY), 0.1)[8, 8, 0] == 255
    assert pictures.read(png(ink), raw(GREY | {"channels": 3}), 0.1)[8, 8, 0] == 0  # colours are never guessed at
    assert pictures.read(png(255 - ink), raw(GREY), 0.9)[8, 8, 0] == 0


def test_a_turned_picture_keeps_its_bars():
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("L", (40, 20), 255).save(buffer, "PNG", exif=exif)
    pixels = pictures.read(buffer.getvalue(), raw(GREY), invert=True)
    assert (pixels == 0).all()
    assert pictures.read(buffer.getvalue(), raw(GREY), invert=False)[0, :, 0].tolist() == [0] * 4 + [255] * 8 + [0] * 4


# The command line


def command(arguments: list[str]) -> None:
    cli.run(main, arguments)


def test_a_table(made, capsys):
    command(
        [
            "--run",
            str(made / "runs/made/pairs-0"),
            "--run",
            str(made / "runs/made/codes-0"),
            "--text",
            "a red zebra",
            "--count",
            "3",
        ]
    )
    first, second = capsys.readouterr().out.split("\n\n")
    lines = first.splitlines()
    assert lines[:2] == [
        "pairs-0: nearest images among 24 held-out of 48 items (--embed-all: all)",
        "words that the model does not know: zebra",
    ]
    assert lines[2].split() == ["similarity", "id", "label", "text"]
    assert [line.split()[0] for line in lines[3:]] == ["1", "2", "3"]
    assert second.startswith("codes-0: nearest images")


def test_json(made, data, tmp_path, capsys):
    (tmp_path / "query.png").write_bytes(ShownItems(data).picture(47))
    options = [
        "--run",
        str(made / "runs/made/pairs-0"),
        "--image",
        str(tmp_path / "query.png"),
        "--json",
        "--count",
        "2",
    ]
    command(options)
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["run"], found["side"], len(found["results"])) == ("pairs-0", "image", 2)
    best = found["results"][0]
    assert best["similarity"] == pytest.approx(1, abs=1e-5)
    assert {name: best[name] for name in ("rank", "row", "id", "split", "label", "texts")} == {
        **{"rank": 1, "row": 47, "id": "item/47", "split": "test", "label": "corner", "texts": [MARKUP]}
    }


def test_control_characters_do_not_reach_the_terminal(made, capsys):
    command(["--run", str(made / "runs/made/pairs-0"), "--text", "red \x1b[31mred\x1b[0m\x07", "--count", "1"])
    assert "\x1b" not in capsys.readouterr().out


def test_faults_of_the_command_line_end_with_a_message(made, copy):
    run = str(made / "runs/made/pairs-0")
    for options, told in (
        (["--run", str(made / "runs/made/nobody-0"), "--text", "red"], "no such run; there are"),
        (["--run", run, "--image", str(made / "nothing.png")], "nothing.png: No such file"),
        (["--run", run, "--image", str(made / "data/made/prepared/dataset.json")], r"dataset\.json: not a picture"),
        (
            ["--run", run, "--run", str(copy / "runs/made/pairs-0"), "--text", "red"],
            "of different data; search them apart",
        ),
        (["--run", run, "--data", str(made), "--text", "red"], "dataset.json: no such file; run the prepare stage"),
    ):
        with pytest.raises(SystemExit, match=told) as ended:
            command(options)
        assert str(ended.value).startswith("error: ")


def test_usage_is_checked(made, capsys):
    run = ["--run", str(made / "runs/made/pairs-0")]
    for options, told in (
        (run, "a search takes one of --text"),
        ([*run, "--text", "a", "--count", "0"], "Invalid value for '--count'"),
        ([*run, "--text", "a", "--item", "b"], "a search takes one of --text"),
        ([*run, "--serve", "--port", "70000"], "Invalid value for '--port'"),
        (["--text", "a"], "--run"),
    ):
        with pytest.raises(SystemExit):
            command(options)
        assert told in capsys.readouterr().err


def test_a_run_is_searched_over_the_data_of_its_own_study(made, tmp_path, capsys):
    for folder in ("data", "runs"):
        shutil.copytree(made / folder / "made", tmp_path / folder / "first")
        shutil.copytree(made / folder / "made", tmp_path / folder / "second")
    path = tmp_path / "data/second/prepared/items.parquet"
    items = pd.read_parquet(path)
    put_items(items.assign(id="second/" + items["id"]), tmp_path, "second")
    for study, beginning in (("first", "item/"), ("second", "second/item/")):
        command(["--run", str(tmp_path / f"runs/{study}/pairs-0"), "--text", "red", "--count", "3", "--json"])
        (found,) = json.loads(capsys.readouterr().out)
        assert all(result["id"].startswith(beginning) for result in found["results"])


def test_a_run_of_the_pipeline(study, capsys):
    run_method()
    capsys.readouterr()
    command(["--run", "runs/shapes/infonce-0", "--text", "The cross is red.", "--count", "3", "--json"])
    (found,) = json.loads(capsys.readouterr().out)
    assert len(found["results"]) == 3
    command(["--run", "runs/shapes/infonce-0", "--embed-all", "--item", "red-cross-0", "--count", "5", "--json"])
    (found,) = json.loads(capsys.readouterr().out)
    # Nine more of 240 items show the same: by chance none of five would.
    assert sum(name.startswith("red-cross") for name in ids(found)) >= 2
    assert Path("runs/shapes/infonce-0/search_vectors.npz").exists()


def test_a_name_with_which_a_description_begins_is_not_shown_twice():
    result = {"rank": 1, "similarity": 0.5, "id": "a", "label": ""}
    texts = [["red bar", "Red bar. Of wood.", "A bar"], ["bar", "bar"]]
    told = {"among": "all 3 items", "unknown_words": [], "cut": None}
    found = {"run": "r", "side": "image", **told, "results": [result | {"texts": t} for t in texts]}
    assert [line.split("  ")[-1] for line in table(found).splitlines()[2:]] == [
        "Red bar. Of wood. / A bar",
        "bar / bar",
    ]


def test_what_is_searched_and_read_is_told(made, copy, data, capsys):
    run = made / "runs/made/pairs-0"
    long = " ".join(["red"] * 200)
    main(run=[run], text=long, count=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "pairs-0: nearest images among 24 held-out of 48 items (--embed-all: all)",
        "read the first 10 of 200 words",
    ]
    assert answer(Run(run, data), Query(text="a red cross"))["cut"] is None
    main(run=[copy / "runs/made/pairs-0"], text="red", count=1, embed_all=True)
    assert capsys.readouterr().out.startswith("pairs-0: nearest images among all 48 items\n")
    nothing = {"run": "r", "side": "text", "among": "all 1 items", "unknown_words": [], "cut": None, "results": []}
    assert table(nothing).splitlines()[1:] == ["no other item has a text"]


def test_the_page_goes_over_all_items_unless_told_otherwise(copy, monkeypatch):
    served = []
    monkeypatch.setattr("kith.search.server.serve", lambda runs, *_, **__: served.append(len(runs[0].items)))
    run = [copy / "runs/made/pairs-0"]
    main(run=run, serve=True)
    main(run=run, serve=True, held_out=True)
    assert served == [48, 24]
    with pytest.raises(typer.BadParameter, match="choose one"):
        main(run=run, serve=True, held_out=True, embed_all=True)
