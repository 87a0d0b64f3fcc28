"""What Snakemake has run is noted for DVC, in a folder that Git does not know too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


HOLD = """
import sys
from dvc.repo import Repo
with Repo().lock:
    print("held", flush=True)
    sys.stdin.read()
"""


def folder_of(path: Path) -> dict[str, str]:
    """A folder of DVC with a stage whose output is there; the environment to call its commands in."""
    (path / ".dvc").mkdir()
    (path / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    (path / "dvc.yaml").write_text("stages:\n  made:\n    cmd: echo made > made.txt\n    outs: [made.txt]\n")
    (path / "made.txt").write_text("made\n")
    return os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("in_git", [True, False], ids=["in Git", "outside Git"])
def test_a_stage_is_committed(tmp_path, in_git):
    if in_git:
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    environment = folder_of(tmp_path)
    command = [sys.executable, "-m", "workflow.commit"]
    subprocess.run([*command, "made"], cwd=tmp_path, env=environment, check=True)
    assert "path: made.txt" in (tmp_path / "dvc.lock").read_text()
    other = subprocess.run([*command, "other"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (other.returncode, other.stderr) == (1, "error: no such stage: other\n")


def test_it_waits_for_another_dvc(tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    environment = folder_of(tmp_path)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    other = subprocess.Popen([sys.executable, "-c", HOLD], cwd=tmp_path, env=environment, **pipes)
    assert other.stdout.readline() == "held\n"
    command = [sys.executable, "-m", "workflow.commit", "made"]
    waiting = subprocess.Popen(command, cwd=tmp_path, env=environment)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(6)  # DVC itself gives up after three seconds
    assert not (tmp_path / "dvc.lock").exists()
    other.communicate()
    assert waiting.wait(120) == 0
    assert "path: made.txt" in (tmp_path / "dvc.lock").read_text()
