"""Texts with labels and no pictures: an encoder of texts in the place of that of pictures, up to the search."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import kith
from kith.errors import KithError, UnanswerableError
from kith.search.query import Query, answer
from kith.search.run import Run
from kith.store.prepared import Prepared
from stages import (
    audit,
    class_embedding,
    embed,
    encode,
    evaluate,
    export,
    fetch,
    neighbors,
    params,
    prepare,
    taxonomy,
    text,
    train,
)
from stages.reporting import markdown
from stages.study import check
from tests.conftest import PARAMS
from tests.made_encoders import write_encoder
from tests.made_notes import embed_files, evaluate_files
from tests.made_params import write_params
from tests.stages.test_train_stage import outputs

pytest.importorskip("transformers")
PLACE, RUN = Path("data/notes"), Path("runs/notes/classifier-0")
WORDS = {"warm": "red yellow", "cold": "green blue", "form": "square circle cross bar"}


@pytest.fixture(scope="module")
def notes(tmp_path_factory) -> Path:
    """A folder in which such a table has gone all the way to the evaluation."""
    folder, random = tmp_path_factory.mktemp("notes"), np.random.default_rng(0)
    rows = [
        (f"{kind}{number}", " ".join(random.choice(words.split(), 3)), " ".join(random.choice(words.split(), 4)), kind)
        for kind, words in WORDS.items()
        for number in range(40)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("stages.tracking.runs.available", lambda: False)
        pd.DataFrame(rows, columns=["id", "title", "body", "kind"]).to_csv("notes.csv", index=False)
        write_encoder("bert", Path("bert"))
        write_params(study())
        _run()
    return folder


def study(**methods) -> dict:
    columns = {"id": "id", "image": None, "texts": ["title", "body"], "label": "kind"}
    encoder = {"encoder": "hf:./bert", "tower": "residual", "hidden": 32, "layers": 1}
    method = {"train": {"head": "linear", "select": "ahp", "image": encoder, "epochs": 8, "lr": 0.01}}
    given = {"study": {"name": "notes", "methods": list(methods) or ["classifier"]}, "prepare": {}}
    given |= {"fetch": {"source": "table", "path": "notes.csv", "columns": columns}, "methods": methods}
    if not methods:
        given["methods"] = {"classifier": {"preset": "classifier"} | method}
    shared = {name: value for name, value in PARAMS["train"].items() if name not in ("image", "text")}
    return PARAMS | given | {"text": {"backend": "tfidf"}, "train": shared}


def _run() -> None:
    data = PLACE / "prepared"
    fetch.main(out=PLACE / "raw")
    prepare.main(raw=PLACE / "raw", out=data)
    text.main(data=data, out=PLACE / "text")
    neighbors.main(data=data, text=PLACE / "text", out=PLACE / "neighbors")
    taxonomy.main(data=data, out=PLACE / "taxonomy")
    class_embedding.main(taxonomy=PLACE / "taxonomy", text=PLACE / "text", out=PLACE / "class_embedding")
    encode.main(encoder="hf_bert", sides="image", data=data, out=PLACE / "encoded" / "hf_bert")
    sides = {"encoded_image": PLACE / "encoded" / "hf_bert"}
    made = {name: PLACE / name for name in ("text", "neighbors", "taxonomy", "class_embedding")}
    places = {name: RUN / path.name for name, path in outputs(RUN.name).items()}
    train.main(method="classifier", seed=0, data=data, **made, **sides, **places)
    embed.main(data=data, **sides, **embed_files(RUN))
    meaning = {"text": PLACE / "text", "taxonomy": PLACE / "taxonomy"}
    evaluate.main(method="classifier", seed=0, data=data, **meaning, **evaluate_files(RUN))


@pytest.fixture
def place(notes, monkeypatch) -> Path:
    monkeypatch.chdir(notes)
    return notes


def test_each_item_is_encoded_once_with_all_its_texts(place):
    data = Prepared(PLACE / "prepared")
    assert data.of_texts
    assert data.documents[0] == "\n".join(data.table["texts"][0])
    assert len(data.table["texts"][0]) == 2
    assert len(np.load(PLACE / "encoded" / "hf_bert" / "features_image.npy")) == len(data) == 120
    assert "of" in data.dataset
    assert "where it says pictures below, it means them" in markdown.about(data.dataset)


def test_an_audit_speaks_of_texts_alone(place, capsys):
    audit.main(data=PLACE / "prepared", out=Path("audited"))
    said = capsys.readouterr().out
    assert said.startswith("Texts compared by words, items by ")
    assert "bert.\n" in said
    assert "Pictures" not in said


def test_texts_find_those_of_their_class(place):
    measured = yaml.safe_load((RUN / "metrics.json").read_text())["splits"]["test"]["metrics"]
    assert measured["image_to_image/map"]["value"] > 0.8
    assert measured["classifier/accuracy"]["value"] > 80


def test_they_are_searched_by_text_and_by_item(place):
    run = Run(RUN, Prepared(PLACE / "prepared"), embed_all=True)
    assert run.asks == ["text", "item"]
    found = answer(run, Query(text="square bar circle", count=5))["results"]
    assert {each["label"] for each in found} == {"form"}
    assert [each["label"] for each in answer(run, Query(item="cold3", count=5))["results"]] == ["cold"] * 5
    with pytest.raises(UnanswerableError, match="cannot be searched by image"):
        answer(run, Query(image=b"x"))


def test_from_python_texts_are_embedded_and_pictures_are_not(place):
    run = kith.load(RUN)
    vectors = run.embed_texts(["red yellow", "yellow red red", "green blue"])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    with pytest.raises(KithError, match="was trained on texts"):
        run.embed_images([b"x"])


def test_its_own_text_finds_an_item_at_once(place):
    """What a question goes through is what the items went through."""
    data = Prepared(PLACE / "prepared")
    found = answer(Run(RUN, data, embed_all=True), Query(text=data.documents[7], count=1))["results"]
    assert found[0]["similarity"] == pytest.approx(1, abs=1e-3)


def test_there_is_no_graph_of_it_yet(place):
    with pytest.raises(KithError, match="texts alone"):
        export.main(run=RUN, format="onnx", out=Path("exported"))


@pytest.mark.parametrize(
    "method",
    [
        {"preset": "infonce", "train": {"epochs": 1}},
        {"preset": "classifier", "train": {"epochs": 1}},
    ],
    ids=["pairs", "networks of pictures"],
)
def test_methods_that_need_pictures_are_refused(place, method):
    source = Path("studies/notes.yaml")
    content = params.complete(study(mine=method))
    with pytest.raises(KithError, match="there are no pictures"):
        check(content, source)


def test_what_fits_is_not_refused(place):
    check(params.complete(study()), Path("studies/notes.yaml"), here=True)
