"""Frozen encoders in the pipeline: encoded once, taken by methods, known by what comes after training."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import kith
from kith import models
from kith.encoding import as_noted
from kith.errors import KithError
from kith.inference import onnx
from kith.search.run import Run
from kith.similarity import unit_rows
from kith.store.encoded import Encoded
from kith.store.prepared import Prepared
from stages import embed, encode, evaluate, params, prepare, train
from stages.params.schema import merged
from stages.reporting import encoders
from tests.made_encoders import write_encoder
from tests.made_notes import embed_files, evaluate_files
from tests.made_params import write_params
from tests.stages.test_train_stage import DATA, INPUTS, digest, edit, outputs

pytest.importorskip("transformers")
ROOT = Path(__file__).resolve().parents[2]
CLIP = Path("data/shapes/encoded/hf_clip")
SIDES = {"encoded_image": CLIP, "encoded_text": CLIP}


def methods(**given) -> None:
    """The study with these methods on the features of the folder `clip`."""
    content = yaml.safe_load(Path("params.yaml").read_text())
    sides = {"image": {"encoder": "hf:./clip", "tower": "linear"}, "text": {"encoder": "hf:./clip", "tower": "linear"}}
    content["study"] |= {"methods": list(given), "encoders": {}}
    content["methods"] = {name: merged({"train": sides}, own) for name, own in given.items()}
    write_params(content)


def study_of(method: str) -> params.Study:
    return params.load().study.model_copy(update={"methods": [method]})


@pytest.fixture
def encoded(study) -> None:
    write_encoder("clip", Path("clip"))
    methods(heads={"losses": {"info_nce": {}}}, plain={"train": {"epochs": 0, "head": "none"}})
    encode.main(encoder="hf_clip", sides="image,text", **DATA, out=CLIP)


def run(method: str) -> Path:
    made = outputs(f"{method}-0")
    train.main(method=method, seed=0, **INPUTS, **SIDES, **made)
    folder = made["model"].parent
    embed.main(**DATA, **SIDES, **embed_files(folder))
    evaluate.main(
        method=method,
        seed=0,
        **DATA,
        text=INPUTS["text"],
        taxonomy=INPUTS["taxonomy"],
        **evaluate_files(folder),
    )
    return folder


def test_a_study_names_its_encoders_and_what_they_are_loaded_from(encoded):
    content = yaml.safe_load(Path("params.yaml").read_text())
    assert content["study"]["encoders"] == {"hf_clip": {"encoder": "hf:./clip", "size": None, "crop": None}}
    assert content["inputs"]["encoders"]["hf_clip"] == {"name": "hf_clip", "sides": "image,text", "files": "clip"}
    assert content["inputs"]["runs"]["heads-0"]["encoded_text"] == CLIP.as_posix()


def test_every_picture_and_every_text_has_its_row(encoded):
    data = Prepared(DATA["data"])
    found = Encoded(CLIP, data)
    assert found.features("image").shape == (len(data.images), 8)
    assert found.features("text").shape == (len(data.texts), 8)
    assert found.features("text").dtype == np.float16
    known = json.loads((CLIP / "made_of.json").read_text())["encoders"]["image"]
    assert known["name"] == "hf:./clip"
    assert known["preprocessing"]["size"] == 16


def test_photographs_are_encoded_like_an_array(encoded):
    before = Encoded(CLIP, Prepared(DATA["data"])).features("image").copy()
    edit(study={"encoders": {}}, prepare={"image": {"size": 16, "store": "photos"}})
    prepare.main(raw=Path("data/shapes/raw"), out=DATA["data"])
    data = Prepared(DATA["data"])
    assert data.images is None
    with pytest.raises(KithError, match="was made of other data"):
        Encoded(CLIP, data).features("image")
    encode.main(encoder="hf_clip", sides="image,text", **DATA, out=CLIP)
    np.testing.assert_array_equal(Encoded(CLIP, data).features("image"), before)


def test_a_size_that_the_encoder_does_not_take_is_said(encoded):
    edit(study={"encoders": {"small": {"encoder": "hf:./clip", "size": 4}}})
    with pytest.raises(KithError, match=r"does not take such inputs .* leave the size of study.encoders out"):
        encode.main(encoder="small", sides="image", **DATA, out=CLIP)
    with pytest.raises(KithError, match="size and crop are for pictures"):
        encode.main(encoder="small", sides="text", **DATA, out=CLIP)


def test_of_texts_so_many_tokens_are_read_as_the_study_says(encoded):
    """Those of another study are other features, and a text that is asked for is read as far."""
    whole = Encoded(CLIP, Prepared(DATA["data"])).features("text").copy()
    edit(study={"encoders": {"short": {"encoder": "hf:./clip", "max_tokens": 3}}})
    with pytest.raises(KithError, match="max_tokens is for texts"):
        encode.main(encoder="short", sides="image", **DATA, out=Path("short"))
    encode.main(encoder="short", sides="text", **DATA, out=Path("short"))
    short = np.load("short/features_text.npy")
    assert short.shape == whole.shape
    assert len(np.unique(short, axis=0)) < len(np.unique(whole, axis=0))  # of each text one word is left
    known = json.loads(Path("short/made_of.json").read_text())["encoders"]["text"]
    assert known["max_tokens"] == 3
    asked = as_noted(known).texts(Prepared(DATA["data"]).texts)
    np.testing.assert_allclose(asked.astype(float), short.astype(float), atol=0.01)
    edit(study={"encoders": {"short": {"encoder": "hf:./clip", "max_tokens": 99}}})
    with pytest.raises(KithError, match="reads 12 tokens at most, not 99"):
        encode.main(encoder="short", sides="text", **DATA, out=Path("long"))


def test_in_bfloat16_features_are_nearly_the_same_and_kept_apart(encoded):
    exact = Encoded(CLIP, Prepared(DATA["data"])).features("image").astype(float)
    edit(study={"encoders": {"half": {"encoder": "hf:./clip", "precision": "bf16"}}})
    encode.main(encoder="half", sides="image,text", **DATA, out=Path("half"))
    half = np.load("half/features_image.npy").astype(float)
    cosines = (unit_rows(half) * unit_rows(exact)).sum(1)
    assert not np.array_equal(half, exact)  # and not taken from what was kept of the exact ones
    assert cosines.min() > 0.99


def test_it_tells_batch_by_batch_how_far_it_is(encoded, monkeypatch, capsys):
    shutil.rmtree(encode.CACHE)
    monkeypatch.setattr("kith.progress.EVERY", 0.0)
    encode.main(encoder="hf_clip", sides="image,text", **DATA, out=CLIP)
    told = re.findall(r"encode with hf:./clip: (\d+) of (\d+) (pictures|texts)", capsys.readouterr().err)
    assert [int(done) for done, _, unit in told if unit == "pictures"][:2] == [32, 64]
    assert {unit for done, every, unit in told if done == every} == {"pictures", "texts"}


def test_texts_are_asked_in_the_words_of_the_encoder(encoded):
    found = Run(run("heads"), Prepared(DATA["data"]))
    assert found.unknown_words("the circle is crimson") == ["crimson"]  # "is" stands in no text of the study
    assert found.text_vector("is").shape == (found.model.dim,)


def test_what_was_encoded_is_found_again_by_its_content(encoded, monkeypatch):
    before = {path.name: digest(path) for path in CLIP.iterdir()}
    shutil.rmtree(CLIP)
    monkeypatch.setattr("kith.encoders.frozen.Frozen.images", None)  # nothing is encoded anew
    encode.main(encoder="hf_clip", sides="image,text", **DATA, out=CLIP)
    assert {path.name: digest(path) for path in CLIP.iterdir()} == before


@pytest.mark.parametrize("place", [0.5, -60, 60])  # in its vectors, in the directory at its end, in the head
def test_a_kept_file_with_a_bit_flipped_is_encoded_anew_or_whole(encoded, place):
    before = {path.name: digest(path) for path in CLIP.iterdir()}
    for kept in encode.CACHE.rglob("rows-*.npz"):
        content = bytearray(kept.read_bytes())
        content[place if isinstance(place, int) else int(place * len(content))] ^= 1
        kept.write_bytes(content)
    encode.main(encoder="hf_clip", sides="image,text", **DATA, out=CLIP)
    assert {path.name: digest(path) for path in CLIP.iterdir()} == before


def test_by_an_encoder_that_looks_at_its_neighbours_all_rows_are_encoded(encoded, capsys):
    before = {path.name: digest(path) for path in CLIP.iterdir()}
    for noted in encode.CACHE.rglob("alone.json"):
        noted.write_text('{"alone": false}')
    capsys.readouterr()
    encode.main(encoder="hf_clip", sides="image,text", **DATA, out=CLIP)
    assert capsys.readouterr().err.count("a row depends on those beside it") == 2
    assert {path.name: digest(path) for path in CLIP.iterdir()} == before


def test_an_encoding_killed_in_the_middle_ends_in_the_same_bytes(encoded, capsys):
    before = {path.name: digest(path) for path in CLIP.iterdir()}
    shutil.rmtree(CLIP)
    shutil.rmtree(encode.CACHE)
    # A few pictures at a time, and slow ones.
    slow = "import time\nfrom kith.encoders.frozen import Frozen\nfrom kith.rows.kept import Keeper\n"
    slow += "from stages import encode, cli\nKeeper.AT_ONCE = 32\nown = Frozen.images\n"
    slow += "def wait(*given):\n    time.sleep(0.3)\n    return own(*given)\n"
    slow += "Frozen.images = wait\ncli.run(encode.main)\n"
    command = [sys.executable, "-c", slow, "--encoder", "hf_clip", "--sides", "image,text"]
    command += ["--data", str(DATA["data"]), "--out", str(CLIP)]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})
    deadline = time.time() + 120
    while len(list(encode.CACHE.rglob("rows-*.npz"))) < 2 and time.time() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not CLIP.exists()
    kept = len(list(encode.CACHE.rglob("rows-*.npz")))
    assert kept >= 2
    encode.main(encoder="hf_clip", sides="image,text", **DATA, out=CLIP)
    assert f"encoded {240 - 32 * kept} of 240 pictures; {32 * kept} were known" in capsys.readouterr().err
    assert {path.name: digest(path) for path in CLIP.iterdir()} == before


def test_features_of_other_pictures_are_refused(encoded):
    note = json.loads((CLIP / "made_of.json").read_text())
    (CLIP / "made_of.json").write_text(json.dumps(note | {"data": "0" * 64}))
    with pytest.raises(KithError, match="was made of other data"):
        train.main(method="heads", seed=0, **INPUTS, **SIDES, **outputs("heads-0"))


def test_a_model_is_embedded_with_the_encoder_it_was_trained_on_alone(encoded):
    made = outputs("heads-0")
    train.main(method="heads", seed=0, **INPUTS, **SIDES, **made)
    given = {"model": made["model"], "trained": made["trained"], **embed_files(made["model"].parent)}
    with pytest.raises(
        KithError, match=r"was trained on features of hf:\./clip for its image side, and none was given"
    ):
        embed.main(**DATA, **given)


def test_raw_pictures_and_texts_go_the_way_of_the_encoded_ones(encoded):
    folder = run("heads")
    data = Prepared(DATA["data"])
    trained, vectors = kith.load(folder), np.load(folder / "embeddings_text.npy")
    rows = np.load(folder / "embedding_rows.npz")
    start = data.text_start[rows["text_rows"][0]]
    np.testing.assert_allclose(trained.embed_texts(data.texts[start : start + 2]), vectors[:2], atol=5e-3)
    table = pd.read_parquet("shapes.parquet").set_index("id")
    names = data.table["id"].iloc[rows["image_rows"][:3]]
    found = trained.embed_images(list(table.loc[names, "image"]))
    np.testing.assert_allclose(found, np.load(folder / "embeddings_image.npy")[:3], atol=5e-3)
    note = json.loads((folder / "trained.json").read_text())
    assert note["image_encoder"]["licence"] == "not stated; see the model's card"


def test_a_picture_that_is_searched_by_goes_through_the_encoder(encoded):
    found = Run(run("heads"), Prepared(DATA["data"]))
    table = pd.read_parquet("shapes.parquet").set_index("id")
    item = int(found.indexes["image"].items[0])
    vector = found.picture_vector(table.loc[found.data.table["id"].iat[item], "image"])
    np.testing.assert_allclose(vector, found.item_vector(item), atol=5e-3)


def test_all_items_can_be_searched(encoded):
    folder = run("heads")
    found = Run(folder, Prepared(DATA["data"]), embed_all=True)
    assert found.asks == ["text", "image", "item"]
    assert len(found.indexes["image"]) == len(Prepared(DATA["data"]))


def test_texts_of_which_another_part_was_read_are_not_embedded(encoded):
    folder, note = run("heads"), json.loads((CLIP / "made_of.json").read_text())
    trained = note["encoders"]["text"]["max_tokens"]
    note["encoders"]["text"]["max_tokens"] = 3
    (CLIP / "made_of.json").write_text(json.dumps(note))
    told = rf"encoded/hf_clip: the encoder read 3 tokens of a text, and {trained} when the model was trained; "
    with pytest.raises(KithError, match=told):
        Run(folder, Prepared(DATA["data"]), embed_all=True)


def test_onnx_has_the_encoder_in_it(encoded):
    pytest.importorskip("onnxscript")
    folder = run("heads")
    model, vocabulary, saved = models.load(folder / "model.pt")
    out = Path("graphs")
    out.mkdir()
    onnx.export(model, out)
    assert max(onnx.differences(model, out).values()) < onnx.TOLERANCE
    told = onnx.describe(model, vocabulary, saved["max_tokens"], saved["trained"])
    assert told["image"]["inputs"] == ["images"]
    assert (out / told["text"]["tokenizer"]).exists()


def test_an_encoder_as_it_is_stands_in_the_leaderboard(encoded):
    folder = run("plain")
    for side, told in zip(("pictures", "texts"), encoders.of_runs(study_of("plain"), folder.parent), strict=True):
        assert re.fullmatch(rf"hf:./clip for {side} \(0\.0 million parameters, (at 16 pixels, )?revision .*\)", told)
    history = pd.read_parquet(folder / "history.parquet")
    assert history["epoch"].tolist() == [0]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["splits"]["test"]["metrics"]["text_to_image/mrr"]["value"] > 0
    data = Prepared(DATA["data"])
    rows = np.load(folder / "embedding_rows.npz")["image_rows"]
    features = np.asarray(Encoded(CLIP, data).features("image")[data.table["image_row"].to_numpy()[rows]], np.float32)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    vectors = np.load(folder / "embeddings_image.npy")
    deviation = np.abs(vectors - unit).max()
    assert deviation > 1e-3  # standardised, unless told otherwise
    side = {"encoder": "hf:./clip", "tower": "linear", "encoded": {"standardize": False}}
    methods(plain={"train": {"epochs": 0, "head": "none", "image": side, "text": side}})
    np.testing.assert_allclose(np.load(run("plain") / "embeddings_image.npy"), unit, atol=1e-5)


@pytest.mark.parametrize("head", ["itq", "random"])
def test_codes_without_training(encoded, head):
    pictures = {
        "epochs": 0,
        "head": head,
        "dim": 4,
        "codes": True,
        "select": "ahp",
        "text": {"encoder": None, "tower": "gru"},
    }
    methods(codes={"train": pictures})
    SIDES["encoded_text"] = Path("workflow/none")
    try:
        metrics = json.loads((run("codes") / "metrics.json").read_text())["splits"]["test"]["metrics"]
    finally:
        SIDES["encoded_text"] = CLIP
    assert 0 < metrics["hamming/map"]["value"] <= 1


def test_linear_cca_in_closed_form(encoded):
    sides = {side: {"encoder": "hf:./clip", "tower": "linear", "encoded": {"pca": 6}} for side in ("image", "text")}
    methods(cca={"train": {"epochs": 0, "head": "none", "projection": {"kind": "cca"}, **sides}})
    folder = run("cca")
    assert pd.read_parquet(folder / "history.parquet")["val_mrr"].notna().all()


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"train": {"epochs": 0}}, r"takes? .*head: none|trains no tower, head"),
        ({"losses": {"info_nce": {}}, "train": {"epochs": 0, "head": "none"}}, "leave the losses out"),
        ({"train": {"head": "none"}}, "losses: name at least one"),
        ({"losses": {"info_nce": {}}, "train": {"text": {"tokenizer": "minilm"}}}, "leave tokenizer and tokens out"),
        ({"losses": {"info_nce": {}}, "train": {"augment": {"flip": True}}}, "train.augment varies pictures"),
        (
            {"losses": {"info_nce": {}}, "train": {"image": {"encoder": "lite0", "tower": "cnn"}}},
            "cnn tower does not take",
        ),
    ],
)
def test_what_does_not_go_together_is_said(encoded, own, told):
    with pytest.raises(KithError, match=told):
        methods(own=own)
