"""The notes of runs that are not whole."""

import errno
from pathlib import Path

import pytest

from kith.errors import KithError
from stages import cli
from workflow import failed

RUN = {"model": Path("runs/glyphs/infonce-0/model.pt"), "trained": Path("trained.json")}


def stage(error=None):
    def main(*, model, trained):
        assert "did not come to its end" in failed.reason("glyphs", "infonce-0")
        if error is not None:
            raise error

    return failed.noting(main)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KithError("a\nb"), "test_failed failed: a b"),
        (OSError(errno.ENOSPC, "No space left", "a.npy"), "test_failed failed: a.npy: No space left; make room"),
        (ZeroDivisionError("by 0"), "test_failed failed: ZeroDivisionError: by 0"),
        (KeyboardInterrupt(), "test_failed did not come to its end"),
    ],
)
def test_a_failure_is_noted_until_the_stage_succeeds(tmp_path, monkeypatch, error, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(type(error)):
        stage(error)(**RUN)
    assert failed.reason("glyphs", "infonce-0").startswith(said)
    assert failed.reason("other", "infonce-0") is failed.reason("glyphs", "infonce-1") is None
    stage()(**RUN)
    assert failed.reason("glyphs", "infonce-0") is None


def test_where_nothing_can_be_noted_the_stages_own_error_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("logs").touch()

    def main(*, model, trained):
        raise KithError("its own")

    with pytest.raises(KithError, match="its own"):
        failed.noting(main)(**RUN)


def test_the_command_line_of_a_stage_has_the_notes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def main(*, model: Path, trained: Path) -> None:
        raise KithError("too few pictures")

    with pytest.raises(SystemExit, match="error: too few pictures"):
        cli.run(main, ["--model", str(RUN["model"]), "--trained", "trained.json"])
    assert failed.reason("glyphs", "infonce-0") == "test_failed failed: too few pictures"


def test_other_stages_have_no_notes():
    def main(*, out): ...

    assert failed.noting(main) is main
