"""ONNX graphs say what the model says; vectors go out with the ids of their items."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch

from kith import models
from kith.errors import KithError
from kith.inference import onnx as onnx_export
from kith.inference.predict import predict_images, predict_texts
from kith.models import DualEncoder
from kith.text.pretrained import Pretrained
from kith.text.tokens import Vocabulary, tokenize
from stages import export, files

EMBEDS, CLASSIFIES = Path("runs/shapes/infonce-0"), Path("runs/shapes/hierarchy_ce-0")

PICTURES = {"depth": 10, "width": 4, "channels": 3, "fit": "pad", "mean": [0.3, 0.4, 0.5], "std": [0.2, 0.3, 0.4]}
WORDS = {"words": 30, "embedding": 6, "hidden": 8, "dropout": 0.2}
FEATURES = {"hidden": 8, "layers": 1, "width": 4, "scale": 2.0}
CLASSES = {"names": list("abcdef"), "classifier": "hidden", "targets": 8}
MODELS = {
    "cnn, gru, cca": {
        "image": PICTURES | {"tower": "cnn", "size": 16},
        "text": WORDS | {"tower": "gru"},
        "projection": {"kind": "cca", "keep": 5},
    },
    "resnet, bag, learned, crop": {
        "image": PICTURES | {"tower": "resnet", "size": 20, "crop": 16},
        "text": WORDS | {"tower": "bag"},
        "projection": {"kind": "learned"},
    },
    "cnn of odd size, classes": {
        "image": PICTURES | {"tower": "cnn", "size": 20},
        "text": None,
        "projection": {"kind": "unit"},
        "classes": CLASSES,
    },
    "binary codes": {
        "image": PICTURES | {"tower": "resnet", "size": 16},
        "text": None,
        "projection": {"kind": "unit"},
        "codes": True,
    },
    "maps, tfidf, classifier alone": {
        "image": FEATURES | {"tower": "vgg", "shape": [2, 16, 16], "shift": 0.5},
        "text": WORDS | {"tower": "tfidf", "layers": 1},
        "projection": {"kind": "unit"},
        "classes": CLASSES | {"classifier": "linear", "targets": None},
    },
    "vectors, class embeddings alone": {
        "image": FEATURES | {"tower": "mlp", "shape": [3], "shift": [0.5, 1.0, 2.0]},
        "text": FEATURES | {"tower": "linear", "shape": [5], "shift": 0.0},
        "projection": {"kind": "unit"},
        "classes": CLASSES | {"classifier": None},
    },
}


def made(config: dict) -> DualEncoder:
    """A model in whose place no other would do: statistics and projections are random too."""
    torch.manual_seed(0)
    model = DualEncoder({"dim": 8, **config}).eval()
    for name, buffer in model.named_buffers():
        if name.split(".")[-1] in ("mean1", "mean2", "u", "v", "running_mean", "targets"):
            buffer.copy_(torch.randn(buffer.shape) * 0.5)
        if name.endswith(("running_var", "inverse_frequency")):
            buffer.copy_(torch.rand(buffer.shape) + 0.5)
    return model


@pytest.mark.parametrize("name", MODELS)
def test_graphs_say_what_the_model_says(name, tmp_path):
    model = made(MODELS[name])
    onnx_export.export(model, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{side}.onnx" for side in onnx_export.sides(model)}
    found = onnx_export.differences(model, tmp_path)
    assert list(found) == onnx_export.sides(model)
    assert max(found.values()) < 1e-4
    for side in onnx_export.sides(model):
        session = onnxruntime.InferenceSession(tmp_path / f"{side}.onnx")
        # The batch and the length of texts are free: one is the smallest, and none had these when it was exported.
        for rows in (1, 7):
            inputs = onnx_export.example(model, side, rows)
            told = dict(zip([each.name for each in session.get_outputs()], session.run(None, inputs), strict=True))
            expected = (predict_images if side == "image" else predict_texts)(model, *inputs.values())
            np.testing.assert_allclose(told["vector"], expected["vector"], atol=1e-4)
            if "code" in expected:
                signs = np.packbits(told["vector"] >= 0, axis=1, bitorder="little")
                np.testing.assert_array_equal(signs, expected["code"])
            assert ("code" in expected) == MODELS[name].get("codes", False)
            assert ("classifier" in told) == ("top" in expected)
            if "classifier" in told:
                share = torch.from_numpy(told["classifier"]).softmax(dim=1).numpy()
                np.testing.assert_allclose(np.sort(share)[:, ::-1][:, :5], expected["probability"], atol=1e-4)
            if "nearest" in expected:
                np.testing.assert_allclose(np.sqrt(-told["nearest"].max(axis=1)), expected["distance"], atol=1e-4)
                np.testing.assert_array_equal(told["nearest"].argmax(axis=1), expected["nearest"])


def test_a_graph_of_another_model_is_seen(tmp_path):
    model = made(MODELS["vectors, class embeddings alone"])
    onnx_export.export(model, tmp_path)
    with torch.no_grad():
        model.image_head.weight[0, 0] += 0.1
    found = onnx_export.differences(model, tmp_path)
    assert found["image"] > 1e-3
    assert found["text"] < 1e-6


@pytest.fixture
def there(trained_study, monkeypatch) -> Path:
    monkeypatch.chdir(trained_study)
    return trained_study


def test_a_run_becomes_graphs_and_what_is_needed_to_use_them(there, tmp_path, capsys):
    out = tmp_path / "exported"
    export.main(run=EMBEDS, format="onnx", out=out)
    assert sorted(path.name for path in out.iterdir()) == ["image.onnx", "model.json", "text.onnx"]
    assert "image.onnx: differs from the model by at most" in capsys.readouterr().err
    assert not any(str(Path(models.__file__).parent).encode() in path.read_bytes() for path in out.iterdir())
    told = json.loads((out / "model.json").read_text())
    assert told["trained"] == {"method": "infonce", "seed": 0}
    rows = np.load(EMBEDS / "embedding_rows.npz")
    items = pd.read_parquet("data/shapes/prepared/items.parquet")

    # The study's pictures, as any program would prepare them.
    image = told["image"]
    assert (image["size"], image["mode"], image["fit"], image["crop"]) == (16, "RGB", "pad", None)
    assert image["interpolation"] == "bicubic"  # or others would bring pictures to their size otherwise
    pictures = np.load("data/shapes/prepared/images.npy")[items["image_row"].to_numpy()[rows["image_rows"]]]
    found = onnxruntime.InferenceSession(out / image["graph"]).run(image["outputs"], {image["inputs"][0]: pictures})
    np.testing.assert_allclose(found[0], np.load(EMBEDS / "embeddings_image.npy"), atol=1e-4)

    # And its texts, one by one.
    number = {word: i for i, word in enumerate(told["text"]["vocabulary"])}
    session = onnxruntime.InferenceSession(out / told["text"]["graph"])
    expected = np.load(EMBEDS / "embeddings_text.npy")
    texts = [text for row in dict.fromkeys(rows["text_rows"]) for text in items["texts"][row]]
    for place in range(0, len(texts), 17):
        words = [number.get(word, number["<unk>"]) for word in tokenize(texts[place])]
        tokens = np.array([[number["<s>"], *words, number["</s>"]]])
        found = session.run(None, {"tokens": tokens, "lengths": np.array([tokens.shape[1]])})
        np.testing.assert_allclose(found[0][0], expected[place], atol=1e-4)


def test_a_run_of_classes_gives_their_scores(there, tmp_path):
    export.main(run=CLASSIFIES, format="onnx", out=tmp_path)
    told = json.loads((tmp_path / "model.json").read_text())
    assert "text" not in told
    assert told["classes"]["shown"] == [name.title() for name in told["classes"]["names"]]
    items = pd.read_parquet("data/shapes/prepared/items.parquet")
    rows = items["image_row"].to_numpy()[np.load(CLASSIFIES / "embedding_rows.npz")["image_rows"]]
    session = onnxruntime.InferenceSession(tmp_path / "image.onnx")
    found = session.run(["classifier", "nearest"], {"images": np.load("data/shapes/prepared/images.npy")[rows]})
    with np.load(CLASSIFIES / "class_scores.npz") as scores:
        np.testing.assert_allclose(found[0], scores["classifier"], atol=1e-4)
        np.testing.assert_allclose(found[1], scores["nearest"], atol=1e-4)


def test_vectors_go_out_with_the_ids_of_their_items(there, tmp_path):
    items = pd.read_parquet("data/shapes/prepared/items.parquet").set_index("id")
    export.main(run=EMBEDS, format="parquet", out=tmp_path)
    export.main(run=EMBEDS, format="npz", out=tmp_path)
    with np.load(tmp_path / "vectors.npz") as arrays:
        for side in ("image", "text"):
            table = pd.read_parquet(tmp_path / f"{side}_vectors.parquet")
            expected = np.load(EMBEDS / f"embeddings_{side}.npy")
            np.testing.assert_array_equal(np.stack(table["vector"]), expected)
            np.testing.assert_array_equal(arrays[f"{side}_vectors"], expected)
            assert list(arrays[f"{side}_ids"]) == list(table["id"])
            assert (items.loc[table["id"], "split"].to_numpy() == table["split"]).all()
            assert (items.loc[table["id"], "label_name"].to_numpy() == table["label_name"]).all()
    assert all(text in items.loc[name, "texts"] for name, text in zip(table["id"], table["text"], strict=True))
    assert table["text"].nunique() == len(table) / 2  # in val and in test
    export.main(run=CLASSIFIES, format="parquet", out=tmp_path / "classes")
    assert [path.name for path in (tmp_path / "classes").iterdir()] == ["image_vectors.parquet"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "csv"}, "--format csv: choose one of onnx, npz, parquet"),
        ({"out": Path("params.yaml")}, "--out params.yaml: is a file"),
        ({"run": Path("runs/shapes/none-0"), "format": "onnx"}, "runs/shapes/none-0: no such run; there are"),
        ({"run": Path("runs/shapes/none-0")}, "runs/shapes/none-0: no such run; there are"),
        ({"data": Path("elsewhere")}, r"elsewhere/dataset\.json: no such file; .*--data"),
    ],
)
def test_what_cannot_be_exported_is_named(there, tmp_path, options, message):
    with pytest.raises(KithError, match=message):
        export.main(**{"run": EMBEDS, "format": "npz", "out": tmp_path / "out"} | options)
    assert not list((tmp_path / "out").glob("*"))


def test_vectors_of_other_items_are_refused(there, tmp_path):
    shutil.copytree("data/shapes/prepared", tmp_path / "other")
    described = files.read_json(tmp_path / "other/dataset.json")
    files.write_json(tmp_path / "other/dataset.json", described | {"name": "another table"})
    with pytest.raises(KithError, match=r"embedded\.json: was made of other data than .*other; name .*--data"):
        export.main(run=EMBEDS, format="npz", out=tmp_path / "out", data=tmp_path / "other")
    assert not (tmp_path / "out").exists()


def test_without_the_packages_it_says_how_to_install_them(there, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(KithError, match=r"onnxscript is not installed .*pip install onnx onnxscript onnxruntime"):
        export.main(run=EMBEDS, format="onnx", out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_graph_that_differs_is_not_kept(there, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "differences", lambda model, folder: {"image": float("nan")})
    monkeypatch.setattr(onnx_export, "export", lambda model, folder: (folder / "image.onnx").write_bytes(b""))
    with pytest.raises(KithError, match="the image graph differs from the model by nan; it is not kept"):
        export.main(run=EMBEDS, format="onnx", out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_tokenizer_that_is_not_plain_words_goes_along(there, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "export", lambda model, folder: None)
    monkeypatch.setattr(onnx_export, "differences", lambda model, folder: {})
    model, plain, _ = models.load(EMBEDS / "model.pt")
    for tokenizer in (Vocabulary(plain.words, "units"), Pretrained(plain.words, '{"model": {}}')):
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run/model.pt").write_bytes(models.save(model, tokenizer, 16, {}))
        export.main(run=tmp_path / "run", format="onnx", out=tmp_path / "out")
        told = json.loads((tmp_path / "out/model.json").read_text())["text"]
        assert told["tokenizer"] == tokenizer.state()["tokenizer"]
        assert told["vocabulary"] == [*Vocabulary.MARKS, *plain.words]
    assert (tmp_path / "out/tokenizer.json").read_text() == '{"model": {}}'
