"""What Snakemake has run is noted for DVC, in a folder that Git does not know too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("in_git", [True, False], ids=["in Git", "outside Git"])
def test_a_stage_is_committed(tmp_path, in_git):
    if in_git:
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    (tmp_path / "dvc.yaml").write_text("stages:\n  made:\n    cmd: echo made > made.txt\n    outs: [made.txt]\n")
    (tmp_path / "made.txt").write_text("made\n")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "workflow.commit"]
    subprocess.run([*command, "made"], cwd=tmp_path, env=environment, check=True)
    assert "path: made.txt" in (tmp_path / "dvc.lock").read_text()
    other = subprocess.run([*command, "other"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (other.returncode, other.stderr) == (1, "error: no such stage: other\n")
