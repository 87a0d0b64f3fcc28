"""The stages that learn, run as the pipeline runs them."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from tokenizers import Tokenizer as Library
from tokenizers.models import WordPiece
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace

from kith import models
from kith.errors import KithError
from kith.training.epoch import train_epoch
from stages import cli, embed, evaluate, neighbors, text, train
from tests.made_notes import embed_files, evaluate_files, put_items
from tests.made_params import write_params

ROOT = Path(__file__).resolve().parents[2]
DATA = {"data": Path("data/shapes/prepared")}
MEANING = {"text": Path("data/shapes/text"), "taxonomy": Path("data/shapes/taxonomy")}
INPUTS = (
    DATA
    | MEANING
    | {"neighbors": Path("data/shapes/neighbors"), "class_embedding": Path("data/shapes/class_embedding")}
)


def outputs(name: str) -> dict[str, Path]:
    run = Path("runs/shapes", name)
    return {"model": run / "model.pt", "history": run / "history.parquet", "trained": run / "trained.json"}


def edit(**sections) -> None:
    content = yaml.safe_load(Path("params.yaml").read_text())
    for section, values in sections.items():
        content[section] |= values
    write_params(content)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def start(name: str) -> subprocess.Popen:
    paths = [x for key, path in (INPUTS | outputs(name)).items() for x in ("--" + key.replace("_", "-"), str(path))]
    command = [sys.executable, "-m", "stages.train", "--method", "neighborhood", "--seed", "0", *paths]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_training_killed_in_the_middle_ends_like_an_unbroken_one(study, capsys):
    edit(train={"epochs": 12})
    train.main(method="neighborhood", seed=0, **INPUTS, **outputs("unbroken"))
    killed = start("resumed")
    for line in killed.stdout:
        if '"epoch": 5' in line:
            break
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert not Path("runs/shapes/resumed/model.pt").exists()
    assert [path.as_posix() for path in Path("checkpoints").rglob("*.pt")] == ["checkpoints/shapes/neighborhood-0.pt"]

    capsys.readouterr()
    train.main(method="neighborhood", seed=0, **INPUTS, **outputs("resumed"))
    printed = capsys.readouterr().out
    assert "resuming after epoch" in printed
    assert '"epoch": 2,' not in printed
    for file in ("model.pt", "history.parquet"):
        assert digest(Path(f"runs/shapes/unbroken/{file}")) == digest(Path(f"runs/shapes/resumed/{file}"))
    assert not list(Path("checkpoints/shapes").iterdir())

    mlflow.set_tracking_uri(f"sqlite:///{Path('mlflow.db').resolve()}")
    runs = mlflow.search_runs(experiment_names=["shapes"], filter_string="tags.stage = 'train'")
    assert list(runs["status"]) == ["FINISHED", "FINISHED"]
    for run_id in runs["run_id"]:
        logged = mlflow.MlflowClient().get_metric_history(run_id, "val_mrr")
        assert {metric.step for metric in logged} == set(range(1, 13))


def test_an_interrupted_training_says_after_which_epoch_it_goes_on(study, monkeypatch):
    def interrupted(*given, **more):
        if given[-1] == 3:
            raise KeyboardInterrupt
        return train_epoch(*given, **more)

    monkeypatch.setattr("kith.training.loop.train_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    assert cli._going_on == ["the same command goes on after epoch 2"]


def test_a_checkpoint_of_other_parameters_is_not_resumed(study, capsys):
    states = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.Checkpoint, "remove", lambda self: states.append(self.path))
        train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    assert states[0].exists()
    edit(train={"lr": 0.001})
    train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    assert "resuming" not in capsys.readouterr().out


def test_train_embed_evaluate(study):
    run = Path("runs/shapes/infonce-0")
    train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    history = pd.read_parquet(run / "history.parquet")
    assert list(history["epoch"]) == [1, 2, 3, 4]
    files = evaluate_files(run)
    embed.main(**DATA, **embed_files(run))
    items = pd.read_parquet("data/shapes/prepared/items.parquet")
    images, texts, rows = np.load(files["images"]), np.load(files["texts"]), np.load(files["rows"])
    held_out = np.flatnonzero(items["split"] != "train")
    np.testing.assert_array_equal(rows["image_rows"], held_out)
    np.testing.assert_array_equal(rows["text_rows"], np.repeat(held_out, 2))
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, rtol=1e-5)
    assert len(texts) == len(rows["text_rows"])

    evaluate.main(method="infonce", seed=0, **DATA, **MEANING, **files)
    metrics = json.loads(files["metrics"].read_text())["splits"]["test"]["metrics"]
    # 24 kinds, so a trained model should rank the right one far above chance (R@1 4.2 %).
    assert metrics["text_to_image/R@5"]["value"] > 40
    # The validation figure of the best epoch is what evaluation finds again on the same items.
    val = json.loads(files["metrics"].read_text())["splits"]["val"]["metrics"]
    assert val["mean/mrr"]["value"] == pytest.approx(history["val_mrr"].max(), abs=0.02)


def test_a_diverging_training_says_what_to_do(study):
    edit(train={"lr": 1e30, "optimizer": "sgd", "warmup": 0.0})
    with pytest.raises(
        KithError,
        match=r"method infonce \(1 of 2\), seed 0: (the embeddings are not finite|the loss is).*lower the learning",
    ):
        train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    assert not Path("runs/shapes/infonce-0").exists()


def test_words_start_from_their_doc2vec_vectors(study, capsys):
    edit(train={"epochs": 1, "text": {"tower": "bag", "embedding": 12, "hidden": 8, "pretrained_words": True}})
    train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    assert "words start from their Doc2Vec vectors" in capsys.readouterr().out
    edit(train={"text": {"tower": "bag", "embedding": 10, "hidden": 8, "pretrained_words": True}})
    with pytest.raises(KithError, match=r"make train\.text\.embedding equal to text\.doc2vec\.dim"):
        train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))


def test_texts_are_cut_into_pieces_by_a_pretrained_tokenizer(study, capsys):
    pieces = Library(WordPiece({"?": 0, "re": 1, "##d": 2, "bar": 3}, unk_token="?"))
    pieces.normalizer, pieces.pre_tokenizer = Lowercase(), Whitespace()
    pieces.save("tokenizer.json")
    edit(train={"epochs": 1, "text": {"tokenizer": "tokenizer.json", "max_tokens": 4}})
    train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    Path("tokenizer.json").unlink()
    model, vocabulary, saved = models.load(Path("runs/shapes/infonce-0/model.pt"))
    assert vocabulary.words == ["##d", "re", "bar"]
    assert model.config["text"]["words"] == len(vocabulary) == 7
    assert saved["trained"]["parameters"]["train"]["text"]["tokenizer"] == "tokenizer.json"
    assert "train: of 480 texts 480 are longer than train.text.max_tokens, 4, and are cut" in capsys.readouterr().err
    embed.main(**DATA, **embed_files(Path("runs/shapes/infonce-0")))
    edit(train={"text": {"tokenizer": "nowhere"}})
    with pytest.raises(KithError, match="nowhere: no such file or folder"):
        train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))


def test_a_tower_sees_of_texts_what_the_neighbours_are_made_of(study):
    edit(train={"epochs": 1, "text": {"tokens": {"sentences": 1, "min_length": 5, "stop_words": True}}})
    train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    _, vocabulary, saved = models.load(Path("runs/shapes/infonce-0/model.pt"))
    assert min(map(len, vocabulary.words)) == 5
    assert vocabulary.pieces("Through coloured bars. Another bar.") == ["coloured"]
    assert saved["trained"]["parameters"]["train"]["text"]["tokens"]["sentences"] == 1


def test_held_out_texts_without_a_known_word_are_told(study, capsys):
    items = pd.read_parquet("data/shapes/prepared/items.parquet")
    test = np.flatnonzero(items["split"] == "test")
    for row in test:
        items.at[row, "texts"] = np.array([f"item{row}", "abc"], dtype=object)
    put_items(items, Path(), "shapes")
    text.main(data=Path("data/shapes/prepared"), out=Path("data/shapes/text"))
    said = f"of {2 * len(test)} test texts {2 * len(test)} have no word that the training texts have\n"
    assert f"text: {said}text: put spaces between words" in capsys.readouterr().err
    neighbors.main(data=Path("data/shapes/prepared"), text=Path("data/shapes/text"), out=Path("data/shapes/neighbors"))
    edit(train={"epochs": 1})
    capsys.readouterr()
    train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    assert f"train: {said}" in capsys.readouterr().err


ODD = {
    "unique": lambda i: f"word{i}a other{i}b",
    "same": lambda i: "a red fox",
    "numbers": lambda i: str(i),
    "short": lambda i: "ab cd",
}


@pytest.mark.parametrize(
    ("kind", "backend"), [*((kind, "doc2vec") for kind in ODD), ("unique", "tfidf"), ("numbers", "tfidf")]
)
def test_texts_that_place_nothing_are_told_and_methods_without_neighbours_go_on(study, capsys, kind, backend):
    items = pd.read_parquet("data/shapes/prepared/items.parquet")
    items["texts"] = [np.array([ODD[kind](row)], dtype=object) for row in range(len(items))]
    put_items(items, Path(), "shapes")
    edit(text={"backend": backend, "tokens": {"min_length": 3}}, train={"epochs": 1})
    text.main(data=Path("data/shapes/prepared"), out=Path("data/shapes/text"))
    said = capsys.readouterr().err
    for parameter in ["text.tokens.min_length", "text.backend: none"] + ["text.doc2vec.min_count"] * (
        backend == "doc2vec"
    ):
        assert parameter in said.splitlines()[-1]
    summary = json.loads(Path("data/shapes/text/summary.json").read_text())
    assert summary["items_without_meaning"] == len(items)
    neighbors.main(data=Path("data/shapes/prepared"), text=Path("data/shapes/text"), out=Path("data/shapes/neighbors"))
    with pytest.raises(KithError, match=r"method neighborhood: .*text.backend"):
        train.main(method="neighborhood", seed=0, **INPUTS, **outputs("neighborhood-0"))
    train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    assert Path("runs/shapes/infonce-0/model.pt").exists()


def test_a_split_of_one_item_that_will_be_measured_is_refused_before_the_training(study):
    items = pd.read_parquet("data/shapes/prepared/items.parquet")
    test = np.flatnonzero(items["split"] == "test")
    items.loc[test[1:], "split"] = "val"
    put_items(items, Path(), "shapes")
    text.main(data=Path("data/shapes/prepared"), out=Path("data/shapes/text"))
    neighbors.main(data=Path("data/shapes/prepared"), text=Path("data/shapes/text"), out=Path("data/shapes/neighbors"))
    with pytest.raises(
        KithError, match=r"items\.parquet: split 'test' has 1 item with a picture, and will be measured"
    ):
        train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    edit(embed={"splits": ["val"]}, train={"epochs": 1})
    train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))


def test_only_texts_that_are_cut_are_counted_however_few(study, capsys):
    items = pd.read_parquet("data/shapes/prepared/items.parquet")
    items.at[0, "texts"] = np.array(["one two three four five six seven", "one two three four five six"], dtype=object)
    put_items(items, Path(), "shapes")
    text.main(data=Path("data/shapes/prepared"), out=Path("data/shapes/text"))
    neighbors.main(data=Path("data/shapes/prepared"), text=Path("data/shapes/text"), out=Path("data/shapes/neighbors"))
    edit(train={"epochs": 1, "text": {"max_tokens": 8}})
    train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    said = f"train: of {2 * len(items)} texts 1 are longer than train.text.max_tokens, 8, and are cut"
    assert said in capsys.readouterr().err


def test_the_seed_matters(study):
    edit(train={"epochs": 1})
    states = []
    for seed in (0, 1):
        train.main(method="infonce", seed=seed, **INPUTS, **outputs(f"infonce-{seed}"))
        states.append(
            torch.load(f"runs/shapes/infonce-{seed}/model.pt", weights_only=True)["state"]["image_head.weight"]
        )
    assert not torch.equal(*states)


def test_embedding_an_unknown_split_is_refused(study):
    edit(embed={"splits": ["dev"]})
    train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    with pytest.raises(KithError, match=r"embed.splits: no items in \['dev'\]"):
        embed.main(**DATA, **embed_files(Path("runs/shapes/infonce-0")))


def test_neighbors_are_training_items_of_other_groups_and_share_meaning(study):
    table = pd.read_parquet("data/shapes/neighbors/neighbors.parquet")
    items = pd.read_parquet("data/shapes/prepared/items.parquet")
    splits, groups = items["split"].to_numpy(), items["group"].to_numpy()
    assert set(splits[table["row"]]) == set(splits[table["neighbor"]]) == {"train"}
    assert (groups[table["row"]] != groups[table["neighbor"]]).all()
    assert (table.groupby("row")["rank"].max() == 9).all()
    assert (table.groupby("row")["similarity"].diff().dropna() <= 1e-6).all()
    quality = json.loads(Path("data/shapes/neighbors/quality.json").read_text())
    assert quality["recall"] == pytest.approx(1)
    assert quality["label_agreement@10"] > quality["label_agreement_by_chance"]
    assert 0 <= quality["sibling_recall@10"] <= 1


@pytest.mark.parametrize("backend", ["doc2vec", "tfidf"])
def test_text_stage_gives_the_same_bytes_and_both_backends_feed_the_next(study, backend):
    edit(text={"backend": backend})
    made = []
    for _ in range(2):
        text.main(data=Path("data/shapes/prepared"), out=Path("data/shapes/text"))
        made.append({path.name: digest(path) for path in Path("data/shapes/text").iterdir()})
    assert made[0] == made[1]
    neighbors.main(data=Path("data/shapes/prepared"), text=Path("data/shapes/text"), out=Path("data/shapes/neighbors"))
    assert len(pd.read_parquet("data/shapes/neighbors/neighbors.parquet"))


def test_items_whose_words_mean_nothing_keep_their_pair_and_are_counted(study):
    items = pd.read_parquet("data/shapes/prepared/items.parquet")
    items.at[3, "texts"] = np.array(["12 34", "!!"], dtype=object)
    put_items(items, Path(), "shapes")
    text.main(data=Path("data/shapes/prepared"), out=Path("data/shapes/text"))
    assert json.loads(Path("data/shapes/text/summary.json").read_text())["items_without_meaning"] == 1
    assert not np.load("data/shapes/text/vectors.npy")[3].any()
    neighbors.main(data=Path("data/shapes/prepared"), text=Path("data/shapes/text"), out=Path("data/shapes/neighbors"))
    table = pd.read_parquet("data/shapes/neighbors/neighbors.parquet")
    assert 3 not in set(table["row"]) | set(table["neighbor"])
    train.main(method="neighborhood", seed=0, **INPUTS, **outputs("neighborhood-0"))
