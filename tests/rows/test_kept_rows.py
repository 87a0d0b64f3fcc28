"""Vectors that are kept by the content of their rows."""

import hashlib
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from kith.rows.kept import FILES, Keeper, KeptRows, keys_of, trim


def keys(*numbers: int) -> np.ndarray:
    return keys_of([hashlib.sha256(str(number).encode()).digest() for number in numbers])


def vectors(*numbers: int) -> np.ndarray:
    return np.array([[number, -number, 0.5] for number in numbers], dtype=np.float16)


def kept_in(folder: Path) -> KeptRows:
    return KeptRows(folder, (3,), np.float16)


def read(kept: KeptRows, *numbers: int) -> dict[int, list[float]]:
    """The vector of each of `numbers` that is kept."""
    found: dict[int, list[float]] = {}
    for places, values in kept.found(keys(*numbers)):
        assert not found.keys() & {numbers[place] for place in places}
        found |= {numbers[place]: value.tolist() for place, value in zip(places, values, strict=True)}
    return found


@pytest.fixture
def kept(tmp_path) -> KeptRows:
    made = kept_in(tmp_path / "rows")
    made.keep(keys(1, 2, 3), vectors(1, 2, 3))
    made.keep(keys(4, 5), vectors(4, 5))
    return made


def test_rows_are_found_by_their_content_in_any_order(kept):
    assert read(kept, 9, 5, 1, 3) == {number: vectors(number)[0].tolist() for number in (1, 3, 5)}
    assert read(kept_in(kept.folder.parent / "other"), 1, 2) == {}
    assert read(kept) == {}


def test_keys_that_end_in_zeros_are_told_apart(tmp_path):
    made, ends = kept_in(tmp_path), [b"\0" * 32, b"a" + b"\0" * 31, b"a" * 31 + b"\0", b"a" * 32]
    made.keep(keys_of(ends), vectors(0, 1, 2, 3))
    found = np.zeros((4, 3), dtype=np.float16)
    for places, values in made.found(keys_of(ends)):
        found[places] = values
    np.testing.assert_array_equal(found, vectors(0, 1, 2, 3))


def test_a_row_that_two_files_hold_comes_once(kept):
    kept.keep(keys(3, 4, 6), vectors(3, 4, 6))
    assert sorted(read(kept, 3, 4, 6)) == [3, 4, 6]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.99])
def test_a_damaged_file_is_set_aside_and_its_rows_are_made_again(kept, caplog, share):
    (path,) = [path for path in kept.folder.glob(FILES) if len(np.load(path)["keys"]) == 3]
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 255
    path.write_bytes(content)
    found = read(kept, 1, 2, 3, 4, 5)
    if path.exists():  # what was damaged is no part of a key or a vector
        assert sorted(found) == [1, 2, 3, 4, 5]
        assert found[2] == vectors(2)[0].tolist()
        return
    assert sorted(found) == [4, 5]
    assert path.with_suffix(".damaged").is_file()
    assert len(caplog.messages) == 1
    assert "is damaged" in caplog.text
    kept.keep(keys(1, 2, 3), vectors(1, 2, 3))
    assert sorted(read(kept, 1, 2, 3)) == [1, 2, 3]


def test_every_byte_of_a_file_is_proved(tmp_path):
    made = kept_in(tmp_path)
    made.keep(keys(1), vectors(1))
    (path,) = tmp_path.glob(FILES)
    whole = path.read_bytes()
    for place in range(len(whole)):
        content = bytearray(whole)
        content[place] ^= 255
        path.write_bytes(content)
        assert read(made, 1) in ({}, {1: vectors(1)[0].tolist()})


def test_a_file_that_is_cut_off_or_of_another_form_is_set_aside(kept):
    for path in kept.folder.glob(FILES):
        path.write_bytes(path.read_bytes()[:-30])
    assert read(kept, 1, 4) == {}
    KeptRows(kept.folder, (2,), np.float16).keep(keys(7), np.ones((1, 2), dtype=np.float16))
    assert read(kept, 7) == {}


def test_where_nothing_can_be_written_one_line_says_so(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    made = kept_in(tmp_path / "file" / "rows")
    made.keep(keys(1), vectors(1))
    assert "not kept for the next time" in caplog.text
    assert read(made, 1) == {}


def test_an_interrupted_work_keeps_what_it_has(tmp_path, monkeypatch):
    monkeypatch.setattr(Keeper, "AT_ONCE", 2)
    with pytest.raises(KeyboardInterrupt), Keeper(kept_in(tmp_path)) as keeper:
        for number in range(3):
            keeper.add(keys(number), vectors(number))
        raise KeyboardInterrupt
    assert sorted(read(kept_in(tmp_path), 0, 1, 2)) == [0, 1, 2]
    assert len(list(tmp_path.glob(FILES))) == 2


def write(folder: Path, first: int) -> None:
    with Keeper(kept_in(folder)) as keeper:
        for number in range(first, first + 200):
            keeper.add(keys(number), vectors(number))
            keeper._write()


def test_two_processes_write_at_once(tmp_path):
    processes = [multiprocessing.get_context("fork").Process(target=write, args=(tmp_path, at)) for at in (0, 100)]
    for each in processes:
        each.start()
    for each in processes:
        each.join()
    assert [each.exitcode for each in processes] == [0, 0]
    assert read(kept_in(tmp_path), *range(300)) == {number: vectors(number)[0].tolist() for number in range(300)}


def test_what_was_used_least_lately_goes_first(kept):
    small, large = sorted(kept.folder.glob(FILES), key=lambda path: len(np.load(path)["keys"]))
    for path in (small, large):
        os.utime(path, (1, 1))
    read(kept, 4)  # of the small one
    assert trim(kept.folder.parent, small.stat().st_size) == 1
    assert sorted(read(kept, 1, 4)) == [4]
    assert trim(kept.folder.parent) == 0
    assert trim(kept.folder.parent, 0) == 1
    assert trim(kept.folder.parent / "none", 0) == 0
