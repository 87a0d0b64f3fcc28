"""Slurm for real, on one node: `.ci/slurm` starts its daemons for one command and stops them. As root, where Slurm is
installed and snakemake-executor-plugin-slurm is; skipped elsewhere. `.ci/run` installs both."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.miniature import ALL, ROOT, Repository

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue")
SET_UP = Path("/etc/slurm/slurm.conf")
MISSING = [name for name in PROGRAMS if shutil.which(name) is None]
MISSING += [] if importlib.util.find_spec("snakemake_executor_plugin_slurm") else ["snakemake-executor-plugin-slurm"]
MISSING += ["root"] if os.getuid() else []
PROFILE = "workflow/profiles/slurm"

pytestmark = pytest.mark.slow
real = pytest.mark.skipif(bool(MISSING or SET_UP.exists()), reason=f"without a Slurm to start: {', '.join(MISSING)}")


def on_slurm(repository: Repository, *options: str, fails: bool = False) -> tuple[list[str], str]:
    """Which stages ran, and what Snakemake said."""
    # A busy machine may take more than the minute that the miniature's jobs ask for.
    longer = [
        "--set-resources",
        "prepare:runtime=20",
        "train:runtime=20",
        "--slurm-init-seconds-before-status-checks=8",
    ]
    (repository.path / "ran.txt").unlink(missing_ok=True)
    said = repository.run(
        str(ROOT / ".ci/slurm"), "python", "-m", "snakemake", "--profile", PROFILE, *longer, *options, fails=fails
    )
    return (repository.path / "ran.txt").read_text().split(), said


@real
def test_a_study_on_slurm_fails_goes_on_and_ends_with_the_bytes_of_this_machine(origin, by_snakemake):
    """One method fails: its log is shown, the other is recorded. Mended, the second run makes what is missing."""
    repository = origin.clone("slurm")
    repository.edit("methods", b={"fails": True})
    ran, said = on_slurm(repository, fails=True)
    assert sorted(ran) == ["prepare", "train@a-0", "train@b-0"]
    assert said.count("has been submitted with SLURM jobid") == 3
    assert "broken on purpose" in said
    assert sorted(repository.lock()) == ["prepare", "train@a-0"]
    repository.edit("methods", b={"fails": False})
    ran, _ = on_slurm(repository)
    assert ran == ALL[2:]
    assert repository.lock() == by_snakemake.lock()
    assert repository.dvc("repro") == repository.snakemake() == []


@real
def test_nothing_is_left_of_slurm():
    """Neither after a command that fails: its status is the script's own."""
    done = subprocess.run([ROOT / ".ci/slurm", "sh", "-c", "sinfo --noheader; exit 3"], capture_output=True, text=True)
    assert done.returncode == 3
    assert "idle" in done.stdout
    assert not SET_UP.exists()
    assert not list(Path("/tmp").glob("slurm.??????"))


@real
def test_threads_memory_minutes_and_gpus_of_a_stage_reach_slurm(origin, tmp_path):
    """As sbatch is called: it is one that writes down what it is given, and refuses."""
    repository = origin.clone("asked")
    definition = yaml.safe_load((repository.path / "dvc.yaml").read_text())
    definition["stages"]["prepare"]["meta"] = {"threads": 2, "mem_mb": 1234, "runtime": 77, "gpu": 1}
    (repository.path / "dvc.yaml").write_text(yaml.safe_dump(definition))
    _program(tmp_path / "sbatch", f'echo "$@" >> {tmp_path}/asked\nexit 1')
    _program(tmp_path / "sinfo", "echo PARTITION\necho 'all*'")  # no daemon runs here: the executor asks for partitions
    repository.environment["PATH"] = f"{tmp_path}{os.pathsep}{repository.environment['PATH']}"
    repository.python("snakemake", "--profile", PROFILE, fails=True)
    asked = (tmp_path / "asked").read_text()
    for option in ("-t 77", "--mem 1234", "--gpus=1", "--cpus-per-task=2"):
        assert option in asked, option


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_the_profile_has_options_that_the_executor_knows():
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm")
    values = yaml.safe_load((ROOT / PROFILE / "config.yaml").read_text())
    own = {name.removeprefix("slurm-").replace("-", "_") for name in values if name.startswith("slurm-")}
    assert own
    assert own <= set(plugin.ExecutorSettings.__dataclass_fields__)
    assert values["slurm-status-command"] in ("squeue", "sacct")
