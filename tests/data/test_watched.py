"""Checksums of many files: only what has changed is read."""

import os
from pathlib import Path

import pytest

from kith.data import watched
from kith.data.watched import ABSENT, contents, digest_of_folder


@pytest.fixture(name="read")
def noted_reads(monkeypatch) -> list[str]:
    """The files that were read."""
    names: list[str] = []
    whole = watched._sha256
    monkeypatch.setattr(watched, "_sha256", lambda file: (names.append(Path(file).name), whole(file))[1])
    return names


def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pictures"
    (made / "below").mkdir(parents=True)
    for name in ("a", "b", "below/c"):
        (made / name).write_text(name)
        os.utime(made / name, ns=(10**18, 10**18))
    return made


def digest(made: Path) -> str:
    return digest_of_folder(made, made.parent / "index.parquet")


def test_a_second_look_reads_nothing(tmp_path, read):
    made = folder(tmp_path)
    first = digest(made)
    assert sorted(read) == ["a", "b", "c"]
    read.clear()
    assert digest(made) == first
    assert read == []
    os.utime(made / "a", ns=(10**18, 2 * 10**18))
    os.utime(made / "a", ns=(10**18, 10**18 + 5))
    assert digest(made) == first
    assert read == ["a"]


@pytest.mark.parametrize("change", ["content", "deleted", "added", "renamed"])
def test_what_has_changed_is_seen_and_goes_back(tmp_path, change):
    made = folder(tmp_path)
    first = digest(made)
    if change == "content":
        (made / "below/c").write_text("BELOW/C"[: len("below/c")])
    elif change == "deleted":
        (made / "a").unlink()
    elif change == "added":
        (made / "below/d").write_text("")
    else:
        (made / "a").rename(made / "aa")
    assert digest(made) != first
    for name in ("aa", "below/d"):
        (made / name).unlink(missing_ok=True)
    (made / "a").write_text("a")
    (made / "below/c").write_text("below/c")
    assert digest(made) == first


def test_a_file_that_was_just_written_is_read_again(tmp_path, read):
    """Two contents may have one time stamp."""
    made = folder(tmp_path)
    (made / "a").write_text("x")
    digest(made)
    read.clear()
    digest(made)
    assert read == ["a"]


@pytest.mark.parametrize("content", [b"", b"PAR1 no more", None])
def test_a_broken_index_is_made_anew(tmp_path, read, content):
    made = folder(tmp_path)
    first, index = digest(made), made.parent / "index.parquet"
    index.write_bytes(index.read_bytes()[:100] if content is None else content)
    read.clear()
    assert digest(made) == first
    assert len(read) == 3
    read.clear()
    assert digest(made) == first
    assert read == []


def test_hidden_files_pipes_and_what_cannot_be_read(tmp_path):
    made = folder(tmp_path)
    first = digest(made)
    (made / ".DS_Store").write_text("x")
    assert digest(made) == first
    os.mkfifo(made / "pipe")
    (made / "gone").symlink_to("nowhere")
    assert digest(made) != first
    names = [str(made / name) for name in ("pipe", "gone", "never", "below")]
    assert contents(names, tmp_path / "index.parquet") == [ABSENT] * 4


def test_names_that_are_no_unicode(tmp_path, read):
    made = folder(tmp_path)
    name = os.fsencode(str(made)) + b"/\xff.png"
    with open(name, "wb") as file:
        file.write(b"1")
    os.utime(name, ns=(10**18, 10**18))
    first = digest(made)
    assert digest(made) == first
    with open(name, "wb") as file:
        file.write(b"2")
    assert digest(made) != first
