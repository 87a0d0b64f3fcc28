"""`kith check`: every problem at once, a guess of the columns, and params that fit."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from kith.data import guess, table
from kith.data.check import Discarded, check, split_names
from kith.data.problems import Problems
from kith.data.rows import Columns
from kith.errors import KithError
from stages import check as stage
from stages import params

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with pictures and a table without faults, products.csv."""
    monkeypatch.chdir(tmp_path)
    Path("pictures").mkdir()
    lines = ["sku,photo,title,maker,level1,level2,set,stock,link"]
    for i in range(40):
        Image.new("RGB", (90 + i, 80), (i * 5, 100, 255 - i)).save(f"pictures/{i}.jpg")
        kind = f"{'shoes' if i % 2 else 'hats'},{'boots' if i % 3 else 'other'}"
        split = "validation" if i > 35 else "train" if i < 30 else "test"
        lines.append(f'A{i},pictures/{i}.jpg,"thing, number {i}",acme{i % 3},{kind},{split},{i % 7},https://a.b/{i}')
    Path("products.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def damage(*changes: tuple[int, str, str]) -> None:
    """Replace a part of rows of products.csv."""
    lines = Path("products.csv").read_text().splitlines()
    for row, before, after in changes:
        assert before in lines[row + 1]
        lines[row + 1] = lines[row + 1].replace(before, after)
    Path("products.csv").write_text("\n".join(lines) + "\n")


def run(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "stages.check", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def files(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


def suggested(text: str) -> params.Params:
    """The study that the check ends with, as `stages.study` would read it."""
    return params.check(params.complete(yaml.safe_load(text.split("A study that fits", 1)[1].split("\n", 1)[1])))


def test_without_problems_the_status_is_0_and_the_suggestion_is_a_study(folder):
    before = files(folder)
    done = run("products.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert "No problems.\n40 rows: 30 train, 6 test, 4 val\n40 texts, with 2 words" in done.stdout
    assert "at most 2\nall 30 training texts have the same words: nothing is said" in done.stdout
    assert "\n4 classes, from 'shoes > other'" in done.stdout
    assert "photo   (guessed: 100% names of picture files)" in done.stdout
    study = suggested(done.stdout)
    columns = {"id": "sku", "image": "photo", "texts": ["title"], "split": "set", "categories": ["level1", "level2"]}
    assert study.fetch.columns == params.Fetch(source="table", path="x", columns=columns).columns
    assert (study.fetch.splits, study.prepare.image.size) == ({"validation": "val"}, 64)
    assert study.study.methods == ["infonce", "hierarchy_ce"]
    assert files(folder) == before


def test_texts_that_share_no_words_are_told():
    damage(*((row, f'"thing, number {row}"', f"thing{row}") for row in range(40)))
    out = run("products.csv").stdout
    assert "of 30 words in the training texts 30 occur once: little" in out
    assert "of 6 test texts 6 have no word that the training texts have\n" in out
    assert "train.text.tokenizer\n" in out
    damage(*((row, f"thing{row}", f"红色的{chr(0x4E00 + row)}") for row in range(40)))
    assert "occur once" not in run("products.csv").stdout


def test_pictures_in_several_rows_are_told(capsys):
    """One row a caption, as in captions.txt of Flickr8k: at random, a picture would be learned and asked for."""
    lines = [f"pictures/{i}.jpg,thing {i} seen for the {n}. time" for i in range(40) for n in range(5)]
    Path("captions.csv").write_text("\n".join(["image,caption", *lines]) + "\n")
    stage.main(table=Path("captions.csv"), group="none")
    told = capsys.readouterr().out
    assert "40 pictures are in several rows, at most 5 rows each; rows of one picture are a group, in one split" in told
    stage.main(table=Path("captions.csv"))
    told = capsys.readouterr().out
    assert "group:      image   (guessed: 40 pictures in 200 rows; rows of one picture belong together)" in told
    assert "pictures are in rows of several groups" not in told
    assert suggested(told).fetch.columns.group == "image"


@pytest.mark.parametrize("name", ["split", "is_train", "data_subset"])
def test_a_column_that_is_called_a_split_is_no_label(name, capsys):
    """Numbers mean no split by themselves: the check asks what they mean, and suggests no classes of them."""
    lines = [f"pictures/{i}.jpg,thing {i} and more,{i % 2}" for i in range(40)]
    Path("t.csv").write_text("\n".join([f"image,caption,{name}", *lines]) + "\n")
    with pytest.raises(SystemExit):
        stage.main(table=Path("t.csv"))
    told = capsys.readouterr().out
    assert "label:      none" in told
    assert "unknown split '0'" in told
    assert "fetch.splits: {'0': test}, for instance; ignore leaves such rows out" in told


def test_rows_that_cannot_be_read_are_listed_where_no_column_can_be_guessed():
    Path("t.csv").write_text("image,text\n" + "".join(f"pictures/{i}.jpg,a thing,\n" for i in range(6)))
    done = run("t.csv")
    assert done.returncode == 1
    assert [f"line {line}" in done.stdout for line in (2, 7)] == [True, True]
    assert "Problems: 6 (6 row).\n" in done.stdout


def test_the_check_goes_on_past_what_is_wrong_with_the_whole_table(capsys):
    damage((2, "2.jpg", "none.jpg"))
    Path("tree.csv").write_text("parent\n1\n")
    with pytest.raises(SystemExit):
        stage.main(table=Path("products.csv"), label="kind", categories=["none"], taxonomy=Path("tree.csv"))
    told = capsys.readouterr().out
    assert "no column 'kind' (fetch.columns.label)" in told
    assert "tree.csv: no column 'child'" in told
    assert "line 4" in told
    assert "Of the rows that can be used:\n39 rows: 29 train, 6 test, 4 val\n39 texts, with 2 words" in told
    with pytest.raises(SystemExit):
        stage.main(table=Path("products.csv"), image_root=Path("nowhere"))
    told = capsys.readouterr().out
    assert "nowhere: no such directory; mend fetch.image_root" in told
    assert "missing_image" not in told.split("A study")[0]
    assert "4 classes" in told


def test_a_table_without_a_line_of_names_is_told():
    Path("t.csv").write_text("".join(f"pictures/{i}.jpg,a thing\n" for i in range(6)))
    done = run("t.csv")
    assert done.returncode == 1
    assert "the first row is taken for names, and 'pictures/0.jpg' looks like a cell; put names of" in done.stdout


def test_columns_that_lie_in_each_other_are_categories():
    kinds = {"dress": "women", "skirt": "women", "boot": "shoes", "sandal": "shoes"}
    lines = [f"{i},{kinds[kind]},{kind},{'red' if i % 3 else 'blue'},thing {i}" for i, kind in enumerate([*kinds] * 5)]
    Path("t.csv").write_text("\n".join(["sku,dept,kind,colour,title", *lines]))
    columns, reasons = guess.guess(Path("t.csv"), {})
    assert (columns.categories, reasons["categories"]) == (["dept", "kind"], "each kind is in one dept")
    assert columns.label is None
    Path("t.csv").write_text("\n".join(["sku,dept,kind,colour,title", *lines, "99,shoes,dress,red,thing"]))
    columns, _ = guess.guess(Path("t.csv"), {})
    assert (columns.categories, columns.label) == ((), "kind")


def test_lengths_of_texts_are_told(capsys):
    texts = ["a red thing"] * 7 + ["word " * 70] * 3
    Path("t.csv").write_text("\n".join(["text", *texts]))
    stage.main(table=Path("t.csv"))
    told = capsys.readouterr().out
    assert "10 texts, with 3 words in the middle, at most 70\n3 texts have more than 62 words, and are cut" in told
    assert "train.text.max_tokens: 72 would read them all" in told


def test_a_few_long_texts_do_not_say_how_far_all_are_read(capsys):
    texts = ["word " * 80] * 98 + ["word " * 9000] * 2
    Path("t.csv").write_text("\n".join(["photo,text", *(f"{n}.jpg,{text}" for n, text in enumerate(texts))]))
    for number in range(100):
        Image.new("RGB", (40, 40), (number, 0, 0)).save(f"{number}.jpg")
    stage.main(table=Path("t.csv"))
    told = capsys.readouterr().out
    assert "train.text.max_tokens: 82 would read 95% of all texts whole" in told
    assert "9,000" in told


def test_every_problem_is_listed_with_row_and_column_and_counted(folder):
    damage((2, "2.jpg", "none.jpg"), (4, '"thing, number 4"', ""), (7, "train", "trian"), (9, "A9", "A8"))
    damage((5, ",acme2", ""), (11, "11.jpg", "none.jpg"))
    done = run("products.csv")
    assert (done.returncode, done.stderr) == (1, "")
    table = [line.split() for line in done.stdout.split("\n\n")[1].splitlines()]
    assert table[0] == ["row", "id", "column", "kind", "problem"]
    told = {tuple(row[:4]) for row in table[1:]}
    assert {("line", "4", "A2", "photo"), ("line", "6", "A4", "title"), ("line", "7", "row", "has")} <= told
    assert {("line", "9", "A7", "set"), ("line", "11", "A8", "sku"), ("line", "13", "A11", "photo")} <= told
    assert len(told) == 6
    assert "Problems: 6 (2 missing_image, 1 row, 1 empty_text, 1 split, 1 id)." in done.stdout
    assert "prepare: {skip: [missing_image, empty_text]}" in done.stdout
    fewer = run("products.csv", "--limit", "2")
    assert "… and 4 more; --limit 6 shows all" in fewer.stdout
    assert "Problems: 6 (" in fewer.stdout


def test_what_the_check_says_is_what_the_build_says():
    damage((2, "2.jpg", "none.jpg"), (4, '"thing, number 4"', ""), (7, "train", "trian"), (9, "A9", "A8"))
    columns = Columns(id="sku", image="photo", texts=["title"], split="set")
    problems = Problems("x")
    table.collect(Path("products.csv"), columns, Discarded(), problems, splits={"validation": "val"})
    report = check(Path("products.csv"), columns, split_names={"validation": "val"})
    assert report.problems.errors == problems.errors
    assert len(problems.errors) == 4


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        ({"label": "colour", "text": ["titel"]}, ["did you mean 'title'?", "no column 'colour'"]),
        ({"split": "sett"}, ["no column 'sett'"]),
        ({"image_root": Path("nowhere")}, ["nowhere: no such directory"]),
        ({"taxonomy": Path("none.csv"), "label": "maker"}, ["none.csv: no such file"]),
        ({"image": "none", "text": ["none"]}, ["neither image nor texts"]),
        ({"split": "none", "taxonomy": Path("products.csv"), "categories": ["none"]}, ["no column 'parent'"]),
        ({"group": "level1", "split": "none"}, ["2 groups cannot be split"]),
    ],
)
def test_faults_of_the_whole_table(arguments, messages, capsys):
    with pytest.raises(SystemExit) as end:
        stage.main(table=Path("products.csv"), **arguments)
    assert end.value.code == 1
    out = capsys.readouterr().out
    assert all(message in out for message in messages), out


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("none.csv", None, "error: none.csv: no such file"),
        ("t.xlsx", b"x", "error: t.xlsx: is a workbook"),
        ("t.csv", "text\ncafé\n".encode("latin-1"), "error: t.csv: cannot be read as CSV: line 2: byte 0xe9"),
        ("t.parquet", b"x", "error: t.parquet: cannot be read as PARQUET"),
        ("t.csv", b"", "error: t.csv: cannot be read: the first line"),
    ],
)
def test_files_that_are_no_tables(name, data, message):
    if data is not None:
        Path(name).write_bytes(data)
    done = run(name)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert "Traceback" not in done.stderr


def test_raw_and_out_stay_required_otherwise():
    command = [sys.executable, "-m", "stages.prepare"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2
    assert "error: " in done.stderr
    assert "--raw" in done.stderr


def test_named_columns_are_not_guessed_and_none_is_none(capsys):
    stage.main(table=Path("products.csv"), text=["maker"], label="stock", id="none", split="none")
    out = capsys.readouterr().out
    assert "texts:      maker\n" in out
    assert "label:      stock\n" in out
    assert "id:         none\n" in out
    assert "categories" not in out
    assert suggested(out).study.methods == ["infonce", "classifier"]


def test_a_table_of_texts_alone_is_told_to_be_too_little(capsys):
    Path("t.jsonl").write_text("\n".join(f'{{"note": "some words {i}"}}' for i in range(30)))
    stage.main(table=Path("t.jsonl"))
    assert "# Not enough for a method" in capsys.readouterr().out


def test_texts_with_labels_are_sent_to_the_command_that_takes_them(capsys):
    rows = [f'{{"note": "some words {i}", "label": "{"ab"[i % 2]}"}}' for i in range(30)]
    Path("t.jsonl").write_text("\n".join(rows))
    stage.main(table=Path("t.jsonl"))
    out = capsys.readouterr().out
    assert "`kith new` with this table tries several methods" in out
    assert "max_tokens" not in out  # an encoder reads them
    study = suggested(out)
    assert (study.study.methods, study.method("classifier").train.image.encoder) == (["classifier"], "minilm")


def test_a_folder_of_pictures_is_sent_to_the_command_that_takes_it():
    Path("shapes/ring").mkdir(parents=True)
    with pytest.raises(KithError, match=r"no \.parquet files there; .* looked at by `kith new`"):
        stage.main(table=Path("shapes"))


def test_pictures_and_labels_without_texts(capsys):
    rows = []
    for i in range(30):
        buffer = io.BytesIO()
        Image.new("RGB", (300, 250), (i, i, i)).save(buffer, "PNG")
        rows.append({"picture": {"bytes": buffer.getvalue(), "path": None}, "species": f"s{i % 3}"})
    pq.write_table(pa.Table.from_pylist(rows), "birds.parquet")
    stage.main(table=Path("birds.parquet"))
    study = suggested(capsys.readouterr().out)
    assert (study.text.backend, study.study.methods, study.prepare.image.size) == ("none", ["classifier"], 224)


def test_guesses():
    lines = ["item_id;product_id;caption;colour;price;is_new"]
    lines += [f"{i};p{i // 2};a thing;{'red' if i % 2 else 'blue'};{i}.5;True" for i in range(30)]
    Path("t.csv").write_text("\n".join(lines))
    columns, reasons = guess.guess(Path("t.csv"), {})
    assert columns == Columns(id="item_id", image=None, texts=["caption"], label="colour", group="product_id")
    assert set(reasons) == {"id", "texts", "label", "group"}
    assert guess.guess(Path("t.csv"), {"label": None, "id": "price"})[0].label is None


def test_names_of_files_may_be_the_ids_and_the_pictures():
    lines = ["file;caption", *(f"{i}.jpg;a thing of {i}" for i in range(30))]
    Path("t.csv").write_text("\n".join(lines))
    columns, _ = guess.guess(Path("t.csv"), {"id": "file"})
    assert columns == Columns(id="file", image="file", texts=["caption"])


def test_characters_that_steer_a_terminal_are_not_written(capsys):
    Path("t.csv").write_text('sku,title\n"\x1b[31m1\n2",a\n"\x1b[31m1\n2",a\n')
    with pytest.raises(SystemExit):
        stage.main(table=Path("t.csv"), id="sku", text=["title"])
    assert "\x1b" not in capsys.readouterr().out


def test_words_that_are_taken_for_nothing_are_told_or_kept(capsys):
    damage((3, "acme0", "NA"), (6, "acme0", "NA"))
    stage.main(table=Path("products.csv"), label="maker", categories=["none"])
    told = capsys.readouterr().out
    assert "2 rows have no label\ncolumn 'maker': 'NA' is taken for nothing (2 cells); if it is a value, give" in told
    assert suggested(told).fetch.missing is None
    stage.main(table=Path("products.csv"), label="maker", categories=["none"], missing=["none"])
    told = capsys.readouterr().out
    assert "taken for nothing" not in told
    assert "4 classes, from 'NA' with 2 to" in told
    assert suggested(told).fetch.missing == []


@pytest.mark.parametrize(
    "words",
    [
        ("TrainSet", "ValSet", "TestSet"),
        ("train.txt", "valid.txt", "test.txt"),
        ("split_train", "split_val", "split_test"),
        ("trainset", "devset", "evalset"),
        ("train2014", "val2014", "holdout"),
        ("entrenamiento", "validación", "prueba"),
        ("学習", "検証", "テスト"),
    ],
)
def test_what_splits_are_called_elsewhere_is_suggested(words, capsys):
    lines = Path("products.csv").read_text()
    for usual, word in zip(("train", "validation", "test"), words, strict=True):
        lines = lines.replace(f",{usual},", f",{word},")
    Path("products.csv").write_text(lines)
    stage.main(table=Path("products.csv"))
    told = capsys.readouterr().out
    assert "40 rows: 30 train, 6 test, 4 val" in told
    assert suggested(told).fetch.splits == dict(zip(words, ("train", "val", "test"), strict=True))


def test_a_comment_above_the_names_is_told(capsys):
    Path("t.csv").write_text("# exported by a program\nimage,text\npictures/0.jpg,red\n")
    with pytest.raises(SystemExit):
        stage.main(table=Path("t.csv"))
    told = capsys.readouterr().out
    assert "the first line is '# exported by a program', and should name the columns; delete the lines above" in told


@pytest.mark.parametrize(
    ("column", "cell", "told"),
    [
        ("caption", {"en": "red", "de": "rot"}, "column 'caption' holds objects (en, de), which are not read; write a"),
        ("captions", [{"raw": "red"}], "column 'captions' holds objects (raw), which are not read; write a column"),
        (
            "images",
            ["pictures/0.jpg", "pictures/1.jpg"],
            "column 'images' holds several pictures in a row; write a row",
        ),
        (
            "photo",
            "iVBORw0KGgo" * 20,
            "column 'photo' holds pictures as base64; write files, or the bytes into a Parquet",
        ),
        (
            "image_id",
            17,
            "column 'image_id' is not taken for pictures: '17' does not end as picture files do; if it is",
        ),
    ],
)
def test_columns_that_hold_pictures_or_texts_in_another_way_are_told(column, cell, told, capsys):
    Path("t.jsonl").write_text(
        "".join(json.dumps({"title": f"red hat {i % 7}", column: cell}) + "\n" for i in range(12))
    )
    stage.main(table=Path("t.jsonl"))
    assert told in capsys.readouterr().out
    stage.main(table=Path("products.csv"))
    assert "holds" not in capsys.readouterr().out


def test_a_class_that_is_called_train_makes_no_split(capsys):
    kinds = ("train", "bus", "car")
    lines = [f"pictures/{i}.jpg,thing {i} seen,{kinds[i % 3]}" for i in range(40)]
    Path("t.csv").write_text("\n".join(["image,caption,vehicle", *lines]) + "\n")
    stage.main(table=Path("t.csv"))
    told = capsys.readouterr().out
    assert "split:      none" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[\n{"image": "a.jpg", "text": "a"},\n{"image": "b.jpg", "text": "b"}\n]\n',
            "one object a line, without brackets",
        ),
        ('[{"image": "a.jpg", "text": "a"}]\n', "expected an object in braces, one a line, and no list around them"),
        ('{"image": "file:///a/b.jpg", "text": "a"}\n', "an address, not a file; write the path without file://"),
    ],
)
def test_lists_and_addresses_of_files_in_json(text, told, capsys):
    Path("t.jsonl").write_text(text)
    try:
        stage.main(table=Path("t.jsonl"))
    except SystemExit:
        said = capsys.readouterr().out
    except Exception as error:
        said = str(error)
    assert told in said


def test_rows_that_say_they_are_unused_are_proposed_to_be_left_out(tmp_path):
    table = tmp_path / "t.csv"
    rows = [("a word", "train"), ("two words", "val"), ("more words", "test"), ("left over", "Unused")]
    table.write_text("caption,split\n" + "".join(f"{text},{split}\n" for text, split in rows))
    assert split_names(table, "split") == {"Unused": "ignore"}
