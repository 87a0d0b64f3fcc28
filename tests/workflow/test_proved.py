"""Outputs whose content has changed and whose time has not."""

import os
from pathlib import Path

import pytest

from tests.miniature import copy
from workflow import proved


def rot(path: Path) -> None:
    """The lowest bit of the byte in the middle, as a disk flips it."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def outs(tmp_path, monkeypatch) -> dict[str, float | None]:
    monkeypatch.chdir(tmp_path)
    Path("folder/below").mkdir(parents=True)
    for name in ("file.csv", "folder/a.npy", "folder/below/b.npy"):
        Path(name).write_text("content")
    made: dict[str, float | None] = {"file.csv": 1.5, "folder": 2.5}
    proved.note(made)
    return made


def same(outs: dict[str, float | None]) -> list[bool]:
    proof = proved.Proof()
    return [proof.same(out, made) for out, made in outs.items()]


def test_a_flipped_bit_is_seen(outs):
    assert same(outs) == [True, True]
    rot(Path("file.csv"))
    assert same(outs) == [False, True]
    rot(Path("folder/below/b.npy"))
    assert same(outs) == [False, False]


def test_of_very_many_bytes_the_first_are_read(outs, monkeypatch):
    rot(Path("file.csv"))
    rot(Path("folder/below/b.npy"))
    monkeypatch.setattr(proved, "MOST", len("content"))
    assert same(outs) == [False, True]


def test_a_file_that_went_from_a_folder_is_seen_and_what_engines_put_there_is_not(outs):
    Path("folder/.snakemake_timestamp").touch()
    assert same(outs) == [True, True]
    Path("folder/a.npy").unlink()
    assert same(outs) == [True, False]


def test_what_was_made_later_or_never_noted_or_is_large_is_not_judged(outs, monkeypatch):
    rot(Path("file.csv"))
    assert same({"file.csv": 1.6, "other.csv": 1.0, "folder": None}) == [True, True, True]
    monkeypatch.setattr(proved, "LARGEST", 10)
    proved.note({"folder": 3.5})
    rot(Path("folder/a.npy"))
    assert same({"folder": 3.5}) == [True]


def test_what_is_noted_is_read_once_more_only_when_it_was_made_anew(outs):
    before = proved.NOTED.read_text()
    rot(Path("file.csv"))
    proved.note(outs)
    assert proved.NOTED.read_text() == before
    proved.note({"file.csv": 1.6})
    assert same({"file.csv": 1.6}) == [True]


@pytest.mark.parametrize("damaged", ["", "[1", "[1, 2]", '{"file.csv": 3}'])
def test_without_notes_nothing_is_judged(outs, damaged):
    proved.NOTED.write_text(damaged)
    assert same(outs) == [True, True]


@pytest.mark.slow
def test_snakemake_makes_a_rotten_output_again(by_snakemake, tmp_path):
    repository = copy(by_snakemake, tmp_path)
    metrics = repository.path / "reports/mini/metrics.json"
    whole = metrics.read_bytes()
    rot(metrics)
    assert "its content has changed and its time has not" in repository.planned()
    assert repository.snakemake() == ["compare", "draw"]
    assert metrics.read_bytes() == whole
    assert repository.snakemake() == []
