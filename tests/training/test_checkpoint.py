"""Checkpoints are taken up only by the training that they are of."""

from pathlib import Path

import pytest
import torch

from kith.training.checkpoint import SOURCES, Checkpoint, code, fingerprint

LIBRARY = Path(__file__).resolve().parents[2] / "kith"


def library(folder: Path) -> Path:
    """Something that looks like the library's sources."""
    for name in SOURCES:
        path = folder / name if name.endswith(".py") else folder / name / "part.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"name = {name!r}\n")
    return folder


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"])
def test_a_checkpoint_that_cannot_be_read_is_set_aside(tmp_path, capsys, content):
    path = tmp_path / "infonce-0.pt"
    path.write_bytes(content)
    checkpoint = Checkpoint(path, "a", Path.write_bytes)
    assert checkpoint.read() is None
    assert "infonce-0.pt: cannot be read" in (told := capsys.readouterr().err)
    assert "training starts anew" in told
    assert not path.exists()
    assert (tmp_path / "infonce-0.pt.broken").read_bytes() == content


def test_a_checkpoint_with_a_bit_flipped_in_its_numbers_is_set_aside(tmp_path, capsys):
    path, state = tmp_path / "infonce-0.pt", {"history": [], "task": torch.arange(10_000.0)}
    Checkpoint(path, "a", write).write(state)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert Checkpoint(path, "a", write).read() is None
    assert "it is damaged" in capsys.readouterr().err
    assert (tmp_path / "infonce-0.pt.broken").exists()


def test_a_checkpoint_runs_no_code(tmp_path, capsys):
    path, reached = tmp_path / "infonce-0.pt", tmp_path / "reached"
    Checkpoint(path, "a", Path.write_bytes).write(Touch(reached))
    assert Checkpoint(path, "a", Path.write_bytes).read() is None
    assert "cannot be read (Weights only load failed" in capsys.readouterr().err
    assert not reached.exists()


class Touch:
    """Pickled as a call."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_checkpoint_gives_back_its_state_to_the_same_fingerprint_alone(tmp_path):
    path, state = tmp_path / "infonce-0.pt", {"history": [{"epoch": 1}]}
    assert Checkpoint(path, "a", write).read() is None
    Checkpoint(path, "a", write).write(state)
    assert Checkpoint(path, "a", write).read() == state
    assert Checkpoint(path, "b", write).read() is None
    Checkpoint(path, "a", write).remove()
    assert Checkpoint(path, "a", write).read() is None


def test_the_fingerprint_is_of_what_is_known_and_of_the_files_that_exist(tmp_path):
    data, absent = tmp_path / "data", tmp_path / "absent"
    data.write_text("1")
    first = fingerprint("{}", "0", files=[data, absent])
    assert fingerprint("{}", "0", files=[data]) == first
    assert fingerprint("{}", "1", files=[data]) != first
    data.write_text("2")
    assert fingerprint("{}", "0", files=[data]) != first


@pytest.mark.parametrize("name", ["losses/part.py", "training/part.py", "similarity.py"])
def test_a_change_of_the_code_is_a_change_of_the_fingerprint(tmp_path, name):
    first = code(library(tmp_path / "one"))
    other = library(tmp_path / "two")
    assert code(other) == first
    (other / name).write_text("name = None\n")
    assert code(other) != first
    (other / name).rename(other / "training" / "renamed.py")
    assert code(other) != first


def test_the_sources_are_there():
    assert [name for name in SOURCES if not (LIBRARY / name).exists()] == []
