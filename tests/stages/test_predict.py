"""Trained runs on pictures and texts that are new to them."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from kith import codes, models, processes
from kith.errors import KithError
from kith.inference.predict import predict_images, predict_texts
from kith.models import DualEncoder
from kith.models.embed import embed_and_score
from kith.store.inputs import ArrayInput
from kith.text.tokens import Vocabulary
from stages import predict

ROOT = Path(__file__).resolve().parents[2]
EMBEDS, CLASSIFIES = Path("runs/shapes/infonce-0"), Path("runs/shapes/hierarchy_ce-0")


@pytest.fixture
def there(trained_study, monkeypatch) -> Path:
    """The trained study as the current directory; tests write elsewhere."""
    monkeypatch.chdir(trained_study)
    return trained_study


def held_out() -> pd.DataFrame:
    """The rows that the embed stage embeds, in its order, with one text each."""
    rows = pd.read_parquet("shapes.parquet").query("split != 'train'").reset_index(drop=True)
    return rows.assign(text=rows["texts"].str[0])


def embedded(run: Path, side: str = "image") -> np.ndarray:
    return np.load(run / f"embeddings_{side}.npy")


def said(run: Path, given: Path, tmp_path: Path, **options) -> pd.DataFrame:
    predict.main(run=run, input=given, out=tmp_path / "out.parquet", **options)
    return pd.read_parquet(tmp_path / "out.parquet")


def vectors(column: pd.Series) -> np.ndarray:
    return np.stack(column.to_list())


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_a_table_of_bytes_gives_what_the_embed_stage_gives(there, tmp_path, batch_size, capsys):
    held_out().to_parquet(tmp_path / "in.parquet")
    found = said(EMBEDS, tmp_path / "in.parquet", tmp_path, batch_size=batch_size)
    assert list(found) == ["id", "image_vector", "text_vector"]
    assert list(found["id"]) == list(held_out()["id"])
    np.testing.assert_allclose(vectors(found["image_vector"]), embedded(EMBEDS), atol=1e-6)
    np.testing.assert_allclose(vectors(found["text_vector"]), embedded(EMBEDS, "text")[::2], atol=1e-6)
    assert "out.parquet: 48 rows" in capsys.readouterr().err


def test_classes_are_those_that_are_evaluated(there, tmp_path):
    held_out().to_parquet(tmp_path / "in.parquet")
    found = said(CLASSIFIES, tmp_path / "in.parquet", tmp_path)
    known = pd.read_parquet("data/shapes/taxonomy/classes.parquet")
    with np.load(CLASSIFIES / "class_scores.npz") as arrays:
        scores = dict(arrays)
    for column, way in (("class", "classifier"), ("nearest_class", "nearest")):
        assert list(found[column]) == list(known["label_name"][scores[way].argmax(axis=1)])
        test = held_out()["split"] == "test"
        right = 100 * (found[column] == held_out()["shape"])[test].mean()
        figures = json.loads((CLASSIFIES / "metrics.json").read_text())["splits"]["test"]["metrics"]
        assert right == pytest.approx(figures[f"{way}/accuracy"]["value"], abs=1e-3)
    softmax = torch.from_numpy(scores["classifier"]).softmax(dim=1).numpy()
    np.testing.assert_allclose(found["class_probability"], softmax.max(axis=1), atol=1e-6)
    np.testing.assert_allclose(found["nearest_distance"], np.sqrt(-scores["nearest"].max(axis=1)), atol=1e-4)
    # People read the names of the taxonomy.
    assert (found["class_name"] == found["class"].str.title()).all()
    assert (found["nearest_class_name"] == found["nearest_class"].str.title()).all()
    best = found["top_classes"][0]
    assert len(best) == 5
    assert best[0]["class"] == found["class"][0]
    assert best[0]["name"] == found["class_name"][0]
    assert [each["probability"] for each in best] == sorted(softmax[0], reverse=True)[:5]


def test_two_processes_write_the_bytes_of_one(there, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(processes, "FEW", 1)
    rows = held_out()
    rows.at[5, "image"] = b"no picture"
    rows.to_parquet(tmp_path / "in.parquet")
    for name, count in (("one", 1), ("two", 2)):
        out = tmp_path / f"{name}.parquet"
        predict.main(
            run=CLASSIFIES, input=tmp_path / "in.parquet", out=out, batch_size=3, skip_bad=True, processes=count
        )
    assert (tmp_path / "two.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()
    assert capsys.readouterr().err.count("48 rows, 1 with a problem") == 2
    with pytest.raises(KithError, match=r"row 5 .*cannot be decoded"):
        said(CLASSIFIES, tmp_path / "in.parquet", tmp_path, batch_size=3, processes=2)


def write_pictures(folder: Path, rows: pd.DataFrame) -> list[str]:
    names = []
    for name, data in zip(rows["id"], rows["image"], strict=True):
        path = folder / name.split("-")[0] / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        names.append(path.relative_to(folder).as_posix())
    return names


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_tables_of_paths(there, tmp_path, kind):
    rows = held_out()
    paths = write_pictures(tmp_path / "pictures", rows)
    table = pd.DataFrame({"sku": rows["id"], "photo": paths, "title": rows["text"]})
    given = tmp_path / f"in.{kind}"
    if kind == "jsonl":
        table.to_json(given, orient="records", lines=True)
    else:
        table.to_csv(given, index=False, sep="\t" if kind == "tsv" else ",")
    names = {"id": "sku", "image": "photo", "text": "title", "image_root": tmp_path / "pictures"}
    found = said(EMBEDS, given, tmp_path, **names)
    assert list(found["id"]) == list(rows["id"])
    np.testing.assert_allclose(vectors(found["image_vector"]), embedded(EMBEDS), atol=1e-6)
    np.testing.assert_allclose(vectors(found["text_vector"]), embedded(EMBEDS, "text")[::2], atol=1e-6)
    # Whoever names one side means that one alone; without an id it is the row's number.
    found = said(EMBEDS, given, tmp_path, text="title")
    assert list(found) == ["id", "text_vector"]
    assert list(found["id"]) == [str(number) for number in range(48)]


def test_pictures_alone_and_texts_alone(there, tmp_path):
    held_out()[["image"]].to_parquet(tmp_path / "in.parquet")
    assert list(said(EMBEDS, tmp_path / "in.parquet", tmp_path)) == ["id", "image_vector"]
    (tmp_path / "in.jsonl").write_text('{"text": "A red bar."}\n{"text": ["A red bar."]}\n')
    found = said(EMBEDS, tmp_path / "in.jsonl", tmp_path)
    assert list(found) == ["id", "text_vector"]
    np.testing.assert_array_equal(*found["text_vector"])


def test_a_folder_of_pictures(there, tmp_path):
    names = write_pictures(tmp_path / "pictures", held_out())
    (tmp_path / "pictures" / "notes.txt").write_text("no picture")
    found = said(EMBEDS, tmp_path / "pictures", tmp_path).set_index("id")
    assert sorted(found.index) == sorted(names)
    np.testing.assert_allclose(vectors(found.loc[names, "image_vector"]), embedded(EMBEDS), atol=1e-6)
    (tmp_path / "pictures" / "red" / "bad.png").write_bytes(b"nothing")
    with pytest.raises(KithError, match=r"pictures: file 'red/bad\.png': cannot be decoded \(not a known image"):
        said(EMBEDS, tmp_path / "pictures", tmp_path)
    with pytest.raises(KithError, match="is a folder of pictures, which has no columns; leave out --text"):
        said(EMBEDS, tmp_path / "pictures", tmp_path, text="title")
    (tmp_path / "empty").mkdir()
    with pytest.raises(KithError, match="has no pictures"):
        said(EMBEDS, tmp_path / "empty", tmp_path)


def test_rows_that_cannot_be_used(there, tmp_path):
    rows = held_out()[["id", "image", "text"]].head(12)
    rows.at[1, "image"], rows.at[4, "image"], rows.at[4, "text"] = b"nothing", None, " "
    rows.to_parquet(tmp_path / "in.parquet")
    with pytest.raises(KithError) as error:
        said(EMBEDS, tmp_path / "in.parquet", tmp_path)
    assert str(error.value).splitlines() == [
        f"{tmp_path}/in.parquet: row 1 (id '{rows['id'][1]}'): column 'image': cannot be decoded (not a known image "
        "format)",
        f"{tmp_path}/in.parquet: row 4 (id '{rows['id'][4]}'): column 'image': is empty; column 'text': is empty",
        "(Rows are counted from 0; --skip-bad leaves such rows empty.)",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]
    # Batches of 4: the second begins with a row of which nothing can be used.
    found = said(EMBEDS, tmp_path / "in.parquet", tmp_path, skip_bad=True, batch_size=4)
    assert list(found["id"]) == list(rows["id"])
    good = found["problem"].isna()
    assert list(np.flatnonzero(~good)) == [1, 4]
    assert found["problem"][4] == "column 'image': is empty; column 'text': is empty"
    np.testing.assert_allclose(vectors(found["image_vector"][good]), embedded(EMBEDS)[:12][good], atol=1e-6)
    assert list(found["image_vector"].isna()) == list(~good)
    assert list(np.flatnonzero(found["text_vector"].isna())) == [4]
    found = said(CLASSIFIES, tmp_path / "in.parquet", tmp_path, skip_bad=True)
    assert found.loc[[1, 4]].drop(columns=["id", "problem"]).isna().all(axis=None)
    assert found.loc[good].drop(columns="problem").notna().all(axis=None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": "photo"}, r"in\.parquet: no column 'photo' \(--image\); the columns are: image, text, other"),
        ({"run": CLASSIFIES, "text": "text"}, "--text text: this model was trained without a text side"),
        ({"run": Path("runs/shapes/none-0")}, "runs/shapes/none-0: no such run; there are"),
        ({"input": Path("none.csv")}, r"none\.csv: no such file or folder"),
        ({"batch_size": 0}, "--batch-size 0: at least 1"),
        (
            {"out": Path("vectors.csv")},
            r"--out vectors\.csv: what is written is Parquet; let the name end in \.parquet",
        ),
        ({"text": "other"}, r"row 0: column 'other': is of type int; texts are strings"),
    ],
)
def test_what_cannot_be_meant_is_named(there, tmp_path, options, message):
    held_out()[["image", "text"]].assign(other=1).to_parquet(tmp_path / "in.parquet", index=False)
    with pytest.raises(KithError, match=message):
        predict.main(**{"run": EMBEDS, "input": tmp_path / "in.parquet", "out": tmp_path / "out.parquet"} | options)
    assert not (tmp_path / "out.parquet").exists()


def test_a_row_that_cannot_be_read_is_left_empty(there, tmp_path):
    rows = [f"{number}.0,a red bar" for number in range(80)]
    rows[3] += ", new"
    rows[79] += ", new"
    (tmp_path / "in.csv").write_text("\n".join(["id,text", *rows]))
    with pytest.raises(KithError) as error:
        said(EMBEDS, tmp_path / "in.csv", tmp_path)
    assert str(error.value).splitlines() == [
        f"{tmp_path}/in.csv: line 5: has 3 cells in place of 2; cells with separators in them need quotation marks, "
        '"like this"',
        "(--skip-bad leaves such rows empty.)",
    ]
    found = said(EMBEDS, tmp_path / "in.csv", tmp_path, skip_bad=True)
    assert list(found["id"].fillna("none")) == ["none" if n in (3, 79) else str(n) for n in range(80)]
    assert list(np.flatnonzero(found["text_vector"].isna())) == [3, 79]
    assert found["problem"][79].startswith("has 3 cells in place of 2")
    assert found["problem"].notna().sum() == 2


def test_ids_and_texts_are_read_as_prepare_reads_them(there, tmp_path):
    frame = pd.DataFrame({"id": [1.0, 2.0, np.nan], "text": [b"a red bar", b"a red bar", b"a blue bar"]})
    frame.to_parquet(tmp_path / "in.parquet")
    found = said(EMBEDS, tmp_path / "in.parquet", tmp_path)
    assert list(found["id"]) == ["1", "2", ""]
    np.testing.assert_array_equal(found["text_vector"][0], found["text_vector"][1])


def test_cut_texts_and_ids_that_name_no_row_are_told(there, tmp_path, capsys):
    rows = pd.DataFrame({"id": [1.0, None, 3.0, 3.0], "text": ["a red bar", "red " * 99, "a blue bar", "red"]})
    rows.to_parquet(tmp_path / "in.parquet")
    said(EMBEDS, tmp_path / "in.parquet", tmp_path)
    told = capsys.readouterr().err
    assert "1 texts are longer than the model reads, 64 tokens, and are cut" in told
    assert "2 rows have no id, or that of another; rows are in the order of the input" in told


def test_a_table_without_the_usual_names_is_asked_about(there, tmp_path):
    (tmp_path / "in.csv").write_text("title,photo\na,b\n")
    with pytest.raises(KithError, match="say with --image or --text which column to read; the columns are: title,"):
        said(EMBEDS, tmp_path / "in.csv", tmp_path)


def command(module: str, *options: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", module, *options], env=environment, capture_output=True, text=True, check=False
    )


def test_the_embed_command_takes_a_run(there, tmp_path):
    (tmp_path / "in.csv").write_text("text\na red bar\n")
    options = ["--run", str(EMBEDS), "--input", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.parquet")]
    done = command("stages.predict", *options)
    assert done.returncode == 0, done.stderr
    assert len(pd.read_parquet(tmp_path / "out.parquet")) == 1
    (tmp_path / "in.csv").write_text("image\nnone.png\n")
    done = command("stages.predict", *options)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith(f"error: {tmp_path}/in.csv: line 2: column 'image': '{tmp_path}/none.png' cannot be")


def feature_model() -> DualEncoder:
    torch.manual_seed(0)
    side = {"tower": "mlp", "hidden": 8, "layers": 1, "width": 4}
    return DualEncoder(
        {
            "dim": 4,
            "image": side | {"shape": [3], "shift": 0.5, "scale": [1.0, 2.0, 3.0]},
            "text": side | {"shape": [2, 2], "shift": 0.0, "scale": 1.0},
            "projection": {"kind": "learned"},
        }
    ).eval()


def save(model: DualEncoder, folder: Path) -> Path:
    folder.mkdir()
    (folder / "model.pt").write_bytes(models.save(model, Vocabulary([]), 16, {}))
    return folder


def test_features_are_columns_of_lists(tmp_path):
    model = feature_model()
    run = save(model, tmp_path / "features-0")
    random = np.random.default_rng(0)
    image, text = random.normal(size=(5, 3)), random.normal(size=(5, 2, 2))
    pd.DataFrame({"image": image.tolist(), "text": text.tolist()}).to_parquet(tmp_path / "in.parquet")
    found = said(run, tmp_path / "in.parquet", tmp_path)
    expected = predict_images(model, image.astype(np.float32))["vector"]
    np.testing.assert_allclose(vectors(found["image_vector"]), expected, atol=1e-6)
    expected = predict_texts(model, text.astype(np.float32))["vector"]
    np.testing.assert_allclose(vectors(found["text_vector"]), expected, atol=1e-6)
    bad = '{"image": [1, 2]}\n{"image": [1, 2, "x"]}\n{"image": null}\n{"image": [1, NaN, 2]}\n{"image": [1, 2, 3]}\n'
    (tmp_path / "in.jsonl").write_text(bad)
    found = said(run, tmp_path / "in.jsonl", tmp_path, skip_bad=True)
    assert [problem and problem.split(";")[0] for problem in found["problem"].astype(object).replace(np.nan, None)] == [
        "column 'image': has the shape 2",
        "column 'image': holds no numbers in lists of equal lengths",
        "column 'image': is empty",
        "column 'image': has values that are not finite",
        None,
    ]
    with pytest.raises(KithError, match="this model takes features, not pictures"):
        said(run, tmp_path, tmp_path)


def test_codes_are_packed_signs(there, tmp_path):
    model, vocabulary, saved = models.load(EMBEDS / "model.pt")
    model.config["codes"] = True
    (tmp_path / "coded-0").mkdir()
    (tmp_path / "coded-0/model.pt").write_bytes(models.save(model, vocabulary, saved["max_tokens"], {}))
    held_out().to_parquet(tmp_path / "in.parquet")
    found = said(tmp_path / "coded-0", tmp_path / "in.parquet", tmp_path)
    for side in ("image", "text"):
        packed = np.stack([np.frombuffer(code, np.uint8) for code in found[f"{side}_code"]])
        assert packed.shape == (48, 2)
        signs = codes.unpack(packed, 16)
        np.testing.assert_array_equal(signs, np.where(vectors(found[f"{side}_vector"]) >= 0, 1, -1))
    assert str(pq.read_schema(tmp_path / "out.parquet").field("image_code").type) == "binary"


def test_names_of_older_models_are_their_labels(there):
    model, _, _ = models.load(CLASSIFIES / "model.pt")
    assert model.class_names[1] == [name.title() for name in model.class_names[0]]
    del model.config["classes"]["shown"]
    assert model.class_names[1] == model.class_names[0]
    assert models.load(EMBEDS / "model.pt")[0].class_names == ([], [])


def test_predictions_by_definition(there):
    model, _, _ = models.load(CLASSIFIES / "model.pt")
    images = np.stack([np.asarray(Image.open(io.BytesIO(data))) for data in held_out()["image"][:6]])
    found = predict_images(model, images, top=2)
    with torch.no_grad():
        for row, image in enumerate(images):
            features = model.encode_images(model.prepare(torch.from_numpy(image[None])))
            share = model.classifier(features)[0].exp()
            order = sorted(range(6), key=lambda c: -share[c])[:2]
            assert list(found["top"][row]) == order
            np.testing.assert_allclose(found["probability"][row], [share[c] / share.sum() for c in order], rtol=1e-5)
            unit = features[0] / features[0].norm()
            far = [float((unit - target).norm()) for target in model.targets]
            assert found["nearest"][row] == int(np.argmin(far))
            assert found["distance"][row] == pytest.approx(min(far), abs=1e-4)


def test_a_view_in_batches_has_the_vectors_and_scores_of_each(there):
    model, _, _ = models.load(CLASSIFIES / "model.pt")
    images = np.stack([np.asarray(Image.open(io.BytesIO(data))) for data in held_out()["image"][:5]])
    view = ArrayInput(images, np.arange(5))
    found, scores = embed_and_score(model, view, np.array([4, 0, 2]), 2)
    parts = [predict_images(model, images[rows]) for rows in ([4, 0], [2])]
    np.testing.assert_array_equal(found, np.concatenate([part["vector"] for part in parts]))
    assert scores.keys() == {"classifier", "nearest"}
    best = np.concatenate([part["top"][:, 0] for part in parts])
    np.testing.assert_array_equal(scores["classifier"].argmax(axis=1), best)
    far = np.concatenate([part["distance"] for part in parts])
    np.testing.assert_array_equal(np.sqrt(-scores["nearest"].max(axis=1)), far)
    found, scores = embed_and_score(model, view, np.zeros(0, dtype=int), 2)
    assert (found.shape, scores) == ((0, model.dim), {})
