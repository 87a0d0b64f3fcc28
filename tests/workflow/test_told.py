"""What Snakemake says when the machine is at fault."""

import errno
import logging
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.exceptions import ProtectedOutputException, WorkflowError
from snakemake.io import IOFile

from kith.errors import KithError
from workflow import told, whole

FULL = OSError(errno.ENOSPC, "No space left on device", "runs/a.npy")


def printed(error: BaseException, monkeypatch, caplog) -> str:
    """What a logger prints of an error, as Snakemake prints its own."""
    monkeypatch.setattr(logging, "raiseExceptions", True)
    logger = logging.getLogger("test_told")
    told.tell(logger)
    told.tell(logger)
    try:
        raise error
    except type(error):
        logger.error("Traceback of 30 lines")
    return caplog.messages[-1]


def test_a_full_disk_is_one_sentence(monkeypatch, caplog):
    line = "error: runs/a.npy: No space left on device; make room there, then run it again"
    assert printed(FULL, monkeypatch, caplog) == line
    assert len(logging.getLogger("test_told").filters) == 1
    monkeypatch.setenv("KITH_TRACEBACK", "1")
    assert printed(FULL, monkeypatch, caplog) == f"Traceback of 30 lines\n{line}"


def test_a_file_that_may_not_be_written_is_named(monkeypatch, caplog):
    job = SimpleNamespace(rule=SimpleNamespace(lineno=1, snakefile="S"), output=[IOFile("b.csv")], wildcards=None)
    line = printed(ProtectedOutputException(job, job.output), monkeypatch, caplog)
    told = "may not be written; give yourself the right to it (chmod u+w, chattr -i), then run it again"
    assert line.replace("'", "") == f"error: b.csv: {told}"  # some versions of Snakemake quote it


def test_what_an_error_came_from_is_told(monkeypatch, caplog):
    error = WorkflowError("Error in an input function")
    error.__cause__ = KithError("DVC runs in this folder")
    assert printed(error, monkeypatch, caplog) == "error: DVC runs in this folder"


def test_what_was_dealt_with_before_is_not_told(monkeypatch, caplog):
    error = WorkflowError("No rule to make a.csv")
    error.__context__ = PermissionError(errno.EPERM, "Operation not permitted", "a")
    assert printed(error, monkeypatch, caplog).startswith("error: a: Oper")
    error.__suppress_context__ = True  # raise … from None
    assert "Oper" not in printed(error, monkeypatch, caplog)


def test_a_file_in_a_folder_that_cannot_be_removed_is_named_with_the_folder(tmp_path, monkeypatch, caplog):
    (tmp_path / "neighbors").mkdir()
    (tmp_path / "neighbors" / "quality.json").touch()

    def forbidden(name: str, **options: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", name)

    monkeypatch.setattr(os, "unlink", forbidden)
    with pytest.raises(PermissionError) as raised:
        shutil.rmtree(tmp_path / "neighbors")
    assert f"error: {tmp_path}/neighbors/quality.json: Oper" in printed(raised.value, monkeypatch, caplog)


def test_a_folder_in_the_place_of_a_file_is_told(tmp_path, monkeypatch, caplog):
    (tmp_path / "dvc.lock").mkdir()
    with pytest.raises(IsADirectoryError) as raised:
        whole.write(tmp_path / "dvc.lock", "new")
    assert "dvc.lock: is a folder, and a file belongs there; move it" in printed(raised.value, monkeypatch, caplog)


def test_other_errors_stay_as_they_are(monkeypatch, caplog):
    assert printed(KeyError("a"), monkeypatch, caplog) == "Traceback of 30 lines"
    assert printed(FileNotFoundError(errno.ENOENT, "none", "a"), monkeypatch, caplog) == "Traceback of 30 lines"


def test_room_is_tried_and_left_as_it_was(tmp_path, monkeypatch):
    told.need_room(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        write(path, data[:100])
        raise FULL

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(KithError, match="No space left on device; make room there"):
        told.need_room(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
