"""What Snakemake's own habits ask of a workflow: lint, the places of files, and an environment that is complete."""

import re
import subprocess
import sys

import pytest
import yaml

from tests.miniature import ROOT


def snakemake(*options: str, fails: bool = False) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *options],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert bool(done.returncode) == fails, done.stdout
    return done.stdout


@pytest.mark.slow
def test_lint_has_nothing_to_remark():
    assert "in a good condition" in snakemake("--lint")


@pytest.mark.slow
def test_both_snakefiles_are_the_same_workflow_with_the_same_profile():
    plan = ("--dry-run", "--forceall", "--cores", "1", "--quiet", "rules")
    both = [snakemake(*plan, *options) for options in ((), ("--snakefile", "workflow/Snakefile"))]
    assert all(re.search(r"^report +1$", said, re.MULTILINE) and "profiles/default" in said for said in both)
    counts = [re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE) for said in both]
    assert counts[0] == counts[1]


def test_the_environment_has_the_pinned_versions():
    """conda copies the file elsewhere, so that it cannot refer to the others."""
    environment = yaml.safe_load((ROOT / "workflow/envs/kith.yaml").read_text())
    pinned = []
    for name in ("requirements.txt", "requirements-emoji.txt", "requirements-pretrained.txt"):
        lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
        pinned += filter(None, lines)
    assert environment["dependencies"][-1]["pip"] == pinned


def test_the_catalogue_finds_what_it_looks_for():
    described = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert described["software-stack-deployment"] == {"conda": True, "apptainer": False, "apptainer+conda": False}
    assert described["report"]
    assert all((ROOT / name).is_file() for name in ("workflow/Snakefile", "config/README.md", "README.md", "LICENSE"))


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--config", "train=1"), ("--configfile", "studies/glyphs.yaml")])
def test_parameters_that_only_snakemake_would_see_are_refused(options):
    told = snakemake("--dry-run", "--cores", "1", *options, fails=True)
    assert "Parameters are in params.yaml alone: change them with `kith study NAME --set KEY=VALUE`" in told
