import errno
import os
import resource
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kith.data import temporary
from kith.data.temporary import ABANDONED, beside
from kith.errors import KithError
from stages import cli, files

ROOT = Path(__file__).resolve().parents[2]


def test_a_file_keeps_its_old_content_when_writing_fails(tmp_path):
    path = tmp_path / "out.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"a": float("nan")})
    with pytest.raises(RuntimeError), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert files.read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


def test_a_folder_replaces_the_old_one_whole(tmp_path):
    path = tmp_path / "data"
    for name in ("old", "new"):
        with files.replacing_folder(path, "old", "new") as temporary:
            (temporary / name).write_text(name)
    assert [p.name for p in path.iterdir()] == ["new"]
    with pytest.raises(RuntimeError), files.replacing_folder(path, "new"):
        raise RuntimeError
    assert [p.name for p in tmp_path.rglob("*")] == ["data", "new"]


def test_a_folder_that_is_replaced_is_never_there_in_part(tmp_path, monkeypatch):
    """Killed while the old one is removed, and where the new one cannot take its name."""
    path = tmp_path / "data"
    for name in ("old", "older"):
        path.mkdir(exist_ok=True)
        (path / name).write_text(name)

    def killed(place, **options):
        next(Path(place).iterdir()).unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt), files.replacing_folder(path, "old", "older") as temporary:
            (temporary / "new").write_text("new")
    assert [each.name for each in path.iterdir()] == ["new"]

    replace = os.replace

    def refused(source, target):
        if Path(target) == path and (Path(source) / "newest").exists():
            raise OSError(errno.EIO, "Input/output error", str(target))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", refused)
        with pytest.raises(OSError, match="Input"), files.replacing_folder(path, "new") as temporary:
            (temporary / "newest").write_text("newest")
    assert [each.name for each in path.iterdir()] == ["new"]


def test_what_a_killed_process_left_is_removed_by_the_next_and_what_a_living_one_writes_is_not(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    for name in (f".out.json.{dead.pid}.part", f".out.json.{os.getppid()}.part", f".other.json.{dead.pid}.part"):
        (tmp_path / name).touch()
    (tmp_path / f".folder.{dead.pid}.part").mkdir()
    files.write_json(tmp_path / "out.json", {})
    with files.replacing_folder(tmp_path / "folder"):
        pass
    left = {f".out.json.{os.getppid()}.part", f".other.json.{dead.pid}.part"}
    assert {path.name for path in tmp_path.iterdir()} == left | {"out.json", "folder"}


def test_what_is_written_elsewhere_is_left_for_a_week(tmp_path):
    path = tmp_path / "out.json"
    own = beside(path).name
    elsewhere = own.replace(own.split("-")[-1], "01234567.part")  # another container's process of this number
    dead = subprocess.Popen(["true"])
    dead.wait()
    for name in (elsewhere, elsewhere.replace(f".{os.getpid()}-", f".{dead.pid}-")):
        (tmp_path / name).touch()
    assert beside(path).name == own not in {each.name for each in tmp_path.iterdir()}
    assert len(list(tmp_path.iterdir())) == 2
    week_old = time.time() - ABANDONED - 1
    os.utime(tmp_path / elsewhere, (week_old, week_old))
    beside(path)
    assert [each.name for each in tmp_path.iterdir()] == [elsewhere.replace(f".{os.getpid()}-", f".{dead.pid}-")]


def test_a_computer_whose_name_is_no_text_has_names_too(tmp_path, monkeypatch):
    monkeypatch.setattr("platform.node", lambda: os.fsdecode(b"b\xfcro"))  # as Linux takes it, and Python reads it
    temporary._here.cache_clear()
    try:
        assert beside(tmp_path / "out.json").name.startswith(f".out.json.{os.getpid()}-")
    finally:
        temporary._here.cache_clear()


@pytest.mark.parametrize("place", ["reports/x/.leaderboard.md.1.part", ".model.onnx.1.part", "runs/x/.model.pt.1.part"])
def test_git_ignores_what_is_being_written(place):
    assert not subprocess.run(["git", "check-ignore", "--quiet", place], cwd=ROOT).returncode


def test_nothing_of_somebody_elses_is_replaced(tmp_path):
    home = tmp_path / "home"
    (home / "letters").mkdir(parents=True)
    (home / "summary.json").write_text("mine")
    with pytest.raises(KithError, match=r"home: is a folder; move it away, or name a file to write"):
        files.write_text(home, "a")
    refused = pytest.raises(KithError, match=r"home: holds 'letters', which is not Kith's")
    with refused, files.replacing_folder(home, "summary.json"):
        pass
    (home / "letters").rmdir()
    with files.replacing_folder(home, "summary.json", "fonts/") as folder:
        (folder / "fonts").mkdir()
    assert [each.name for each in home.iterdir()] == ["fonts"]
    with files.replacing_folder(home, "fonts/"):
        pass
    assert not list(home.iterdir())
    (tmp_path / "file").write_text("mine")
    with pytest.raises(KithError, match="file: is a file; name a folder"), files.replacing_folder(tmp_path / "file"):
        pass
    assert (tmp_path / "file").read_text() == "mine"


@pytest.fixture
def _small_files():
    """No file may grow beyond 1,000 bytes, as on a disk that is nearly full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


WRITERS = {
    "text": lambda path: files.write_text(path, "a" * 9999),
    "npy": lambda path: files.write_npy(path, np.random.default_rng(0).random(9999)),
    "parquet": lambda path: files.write_parquet(path, pd.DataFrame({"a": np.random.default_rng(0).random(9999)})),
}


@pytest.mark.usefixtures("_small_files")
@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_names_the_file_that_was_to_be_written(tmp_path, kind):
    path = tmp_path / f"out.{kind}"
    with pytest.raises(OSError, match=r"File too large") as full:
        WRITERS[kind](path)
    assert full.value.errno == errno.EFBIG
    assert full.value.filename == str(path)
    assert not list(tmp_path.iterdir())


def test_what_parquet_says_without_a_name_gets_one(tmp_path):
    with pytest.raises(KithError, match=r"out: it broke off"), files.replacing(tmp_path / "out"):
        raise OSError("it broke off")


def test_what_cannot_be_read_is_told_with_what_to_do(tmp_path):
    (tmp_path / "a.json").write_text("[" * 99_999)
    with pytest.raises(KithError, match=r"a\.json: cannot be read \(it is nested too deeply\); train again"):
        files.read_json(tmp_path / "a.json", "train again")
    (tmp_path / "a.parquet").write_bytes(b"PAR1PAR1")
    with pytest.raises(KithError, match=r"a\.parquet: cannot be read \(.*\); train again"):
        files.read_parquet(tmp_path / "a.parquet", "train again")
    with pytest.raises(KithError, match=r"b\.json: no such file; make it again"):
        files.read_json(tmp_path / "b.json")


def stage(*, number: int, names: list[str], word: str = "none") -> None:
    """A stage for the test."""
    if number < 0:
        raise KithError("table.csv: row 3, column 'n': negative")
    print(number + 1, names, word)


def test_main_becomes_a_command_line(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["stage", "--number", "4", "--names", "a", "--names", "b"])
    cli.run(stage)
    assert capsys.readouterr().out == "5 ['a', 'b'] none\n"
    monkeypatch.setattr("sys.argv", ["stage", "--names", "a"])
    with pytest.raises(SystemExit):
        cli.run(stage)
    assert "--number" in capsys.readouterr().err


def test_an_error_of_the_user_is_a_message_and_no_traceback(monkeypatch):
    monkeypatch.setattr("sys.argv", ["stage", "--number", "-1", "--names", "a"])
    with pytest.raises(SystemExit) as end:
        cli.run(stage)
    assert end.value.code == "error: table.csv: row 3, column 'n': negative"
