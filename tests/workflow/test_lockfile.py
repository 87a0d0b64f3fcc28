"""dvc.lock after a kill: whatever part of it is left, no entry is lost."""

import os
import subprocess
from pathlib import Path

import pytest
from dvc.schema import COMPILED_LOCKFILE_SCHEMA

from workflow import lockfile, whole, yamls


def entry(name: str, md5: str) -> str:
    place = name.split("@")[-1]
    return (
        f"  {name}:\n    cmd:\n    - python -m workflow.start\n    - python step.py {name}\n"
        f"    deps:\n    - path: step.py\n      hash: md5\n      md5: {md5}\n      size: 9\n"
        f"    params:\n      params.yaml:\n        train:\n          epochs: 2\n"
        f"    outs:\n    - path: runs/mini/{place}\n      hash: md5\n      md5: {md5}.dir\n      size: 9\n"
    )


def lock(**entries: str) -> str:
    return "schema: '2.0'\nstages:\n" + "".join(entry(name.replace("_", "@"), md5) for name, md5 in entries.items())


@pytest.fixture
def there(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path(".dvc/tmp").mkdir(parents=True)
    return tmp_path


def test_wherever_it_is_cut_it_comes_back_with_what_is_newer(there, capsys, monkeypatch):
    monkeypatch.setattr(lockfile, "_is_committed", lambda: False)
    kept = lock(prepare="a1", train_a="b1", train_b="c1")
    lockfile.LOCK.write_text(kept)
    lockfile.keep()
    newer = lock(prepare="a1", train_a="b2")
    whole = lock(prepare="a1", train_a="b2", train_b="c1", compare="d1")
    ends = [whole.index(line) for line in ("  train@a", "  train@b", "  compare")]
    for cut in sorted({*range(0, len(whole), 41), *ends, *(end + 1 for end in ends), len(whole)}):
        lockfile.LOCK.write_text(whole[:cut])
        lockfile.repair()
        text, told = lockfile.LOCK.read_text(), capsys.readouterr().err
        found = yamls.read(text, "dvc.lock")["stages"]
        assert {"prepare", "train@a", "train@b"} <= found.keys(), cut
        assert all(lockfile._is_whole(entry) for entry in lockfile._entries(text)[1].values()), cut
        assert found["train@a"]["deps"][0]["md5"] == ("b2" if cut > len(newer) + 2 else "b1"), cut
        assert bool(told) == (text != whole[:cut])
    assert lockfile.LOCK.read_text() == whole


@pytest.mark.parametrize("copy", [b"", b"schema: '2.0'\nstages:\n  prep", b"\xff\xfe\0junk"])
def test_a_damaged_copy_is_not_put_back(there, copy, monkeypatch):
    monkeypatch.setattr(lockfile, "_is_committed", lambda: False)
    lockfile.LOCK.write_text(cut := lock(prepare="a1", train_a="b1")[:-3])
    lockfile.KEPT.write_bytes(copy)
    lockfile.repair()
    assert lockfile.LOCK.read_text() == cut


@pytest.mark.parametrize("bit", [1, 32, 128])
def test_wherever_a_bit_is_flipped_no_entry_is_lost_nor_broken(there, capsys, bit):
    lockfile.LOCK.write_text(whole := lock(prepare="a1b2", train_a="b1c2", train_b="c1d2"))  # in no repository of Git's
    lockfile.keep()
    for at in range(0, len(whole), 7):
        lockfile.LOCK.write_bytes(bytes(byte ^ bit * (place == at) for place, byte in enumerate(whole.encode())))
        lockfile.repair()
        found = COMPILED_LOCKFILE_SCHEMA(yamls.read(lockfile.LOCK.read_text(), "dvc.lock"))["stages"]
        assert all(entry["outs"] and "cmd" in entry for entry in found.values()), at
        assert len({"prepare", "train@a", "train@b"} & found.keys()) >= 2, at
        told = capsys.readouterr().err
        assert (lockfile.LOCK.read_text() == whole) == bool(told), at
    assert "dvc.lock was damaged: put back" in _repaired(whole.replace("cmd:", "cme:", 1), capsys)
    assert _repaired(f"{whole}\n<<<<<<< HEAD\n", capsys) == ""


def _repaired(text: str, capsys) -> str:
    lockfile.LOCK.write_text(text)
    lockfile.repair()
    return capsys.readouterr().err


def test_one_that_git_does_not_have_is_put_back(there, capsys):
    subprocess.run(["git", "init", "-q"], check=True)
    lockfile.LOCK.write_text(whole := lock(prepare="a1", train_a="b1"))
    lockfile.keep()
    assert "was cut short" in _repaired(whole[:-40], capsys)
    assert lockfile.LOCK.read_text() == whole


def test_what_somebody_chose_stays(there):
    old, new = lock(prepare="a1"), lock(prepare="a1", train_a="b1")
    lockfile.LOCK.write_text(old)
    for command in (
        ["init", "-q"],
        ["add", "dvc.lock"],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "t"],
    ):
        subprocess.run(["git", *command], check=True)
    lockfile.LOCK.write_text(new)
    lockfile.keep()
    lockfile.LOCK.write_text(old)  # git checkout dvc.lock
    lockfile.repair()
    assert lockfile.LOCK.read_text() == old


def test_former_stages_of_the_study_are_dropped_and_no_others(there):
    other = entry("train@x-0", "e1").replace("runs/mini", "runs/other")
    lockfile.LOCK.write_text(lock(prepare="a1", train_a="b1", train_b="c1") + other)
    lockfile.drop("mini", {"prepare", "train@b"})
    assert lockfile.LOCK.read_text() == lock(prepare="a1", train_b="c1") + other


@pytest.mark.parametrize("content", ["", "{", "[1"])
def test_a_broken_list_of_busy_paths_is_removed(there, content):
    busy = Path(".dvc/tmp/rwlock")
    busy.write_text(content)
    lockfile.repair()
    assert not busy.exists()
    busy.write_text("{}")
    lockfile.repair()
    assert busy.exists()


def test_what_killed_processes_left_beside_a_file_goes_when_it_is_written(tmp_path):
    (tmp_path / ".dvc.lock.999999999.part").write_text("half")
    (tmp_path / f".dvc.lock.{os.getppid()}.part").write_text("of a process that lives")
    whole.write(tmp_path / "dvc.lock", "all")
    assert sorted(file.name for file in tmp_path.iterdir()) == [f".dvc.lock.{os.getppid()}.part", "dvc.lock"]
    assert (tmp_path / "dvc.lock").read_text() == "all"


def test_a_file_that_cannot_be_replaced_is_named_and_nothing_is_left(tmp_path):
    (tmp_path / "dvc.lock").mkdir()
    with pytest.raises(OSError, match=r"dvc\.lock") as raised:
        whole.write(tmp_path / "dvc.lock", "new")
    assert raised.value.filename == str(tmp_path / "dvc.lock")
    assert [each.name for each in tmp_path.iterdir()] == ["dvc.lock"]
