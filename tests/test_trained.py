"""`kith.load`: a trained run from Python."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kith
from kith.errors import KithError
from kith.store.prepared import Prepared
from tests.made import picture

RUN = Path("runs/shapes/infonce-0")


@pytest.fixture
def run(trained_study, monkeypatch):
    monkeypatch.chdir(trained_study)
    return kith.load(RUN)


def test_importing_is_light():
    code = "import sys, kith; sys.exit(any(name in sys.modules for name in ('torch', 'pandas', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_texts_are_embedded_as_by_the_pipeline(run):
    items = Prepared(Path("data/shapes/prepared")).table
    kept = items[items["split"] == "test"]
    vectors = run.embed_texts([text for texts in kept["texts"] for text in texts])
    stored = np.load(RUN / "embeddings_text.npy")
    assert vectors.dtype == np.float32
    assert all(np.abs(stored - vector).max(axis=1).min() < 1e-5 for vector in vectors)


def test_pictures_in_any_form_are_the_same(run, tmp_path):
    pixels = picture("red", "cross", np.random.default_rng(5))
    image = Image.fromarray(pixels)
    image.save(tmp_path / "one.png")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    vectors = run.embed_images([tmp_path / "one.png", str(tmp_path / "one.png"), buffer.getvalue(), image, pixels])
    assert vectors.shape == (5, run.dim)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(vectors, vectors[0], atol=1e-5)
    assert run.embed_images([]).shape == (0, run.dim)


def test_pictures_go_the_same_way_whoever_opened_them(run):
    pixels = picture("red", "cross", np.random.default_rng(5))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned, deep = io.BytesIO(), io.BytesIO()
    Image.fromarray(pixels).save(turned, "PNG", exif=exif)
    Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 256).save(deep, "PNG")
    see_through = io.BytesIO()
    Image.fromarray(np.dstack([pixels, pixels[:, :, :1]])).save(see_through, "PNG")
    for encoded in (turned, deep, see_through):
        vectors = run.embed_images([encoded.getvalue(), Image.open(io.BytesIO(encoded.getvalue()))])
        np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


def test_search_answers_as_the_command_does(run, tmp_path):
    found = run.search(text="The cross is red.", count=3)
    assert [result["rank"] for result in found] == [1, 2, 3]
    assert {"id", "label", "texts", "similarity"} <= found[0].keys()
    Image.fromarray(picture("red", "cross", np.random.default_rng(5))).save(tmp_path / "one.png")
    assert len(run.search(image=tmp_path / "one.png", count=2, side="text")) == 2
    assert len(run.search(item=found[0]["id"])) == 10


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda run: run.embed_texts("red cross"), "takes a list of texts"),
        (
            lambda run: run.embed_images([np.zeros((4, 4, 3), np.uint8), "none.png"]),
            r"picture 1: .*none.png.* cannot be",
        ),
        (lambda run: run.search(), "one of a text, an image and an item"),
        (lambda run: kith.load("runs/shapes/hierarchy_ce-0").embed_texts(["red"]), "was trained without texts"),
        (lambda run: kith.load("nowhere"), "nowhere: no such run"),
        (lambda run: run.embed_texts(None), "takes a list of texts"),
        (lambda run: run.embed_texts(["a", None]), "text 1: is of type NoneType"),
        (lambda run: run.embed_images("one.png"), "takes a list of pictures"),
        (lambda run: run.embed_images(np.zeros((12, 9, 3), np.uint8)), "takes a list of pictures"),
        (lambda run: run.embed_images([np.zeros((4, 4, 3))]), "picture 0: is an array of float64, 4×4×3"),
        (lambda run: run.embed_images([np.zeros((0, 4, 3), np.uint8)]), "picture 0: is an array of uint8, 0×4×3"),
        (lambda run: run.search(text="a bar", count=-1), "at least 1 result, not -1"),
        (lambda run: run.search(text="a bar", count=2.5), "at least 1 result"),
        (lambda run: run.search(text=7), "text: is of type int"),
        (lambda run: run.search(image="none.png"), r"none\.png: cannot be opened"),
    ],
)
def test_what_cannot_be_done_is_said(run, ask, message):
    with pytest.raises(KithError, match=message):
        ask(run)
