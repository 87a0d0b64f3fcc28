"""What was there before a stage failed is there afterwards, under DVC, which removes it first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.miniature import ROOT

STAGE = """
import pathlib, yaml
from stages import cli
def main(*, out: pathlib.Path, folder: pathlib.Path) -> None:
    value = yaml.safe_load(open("params.yaml"))["value"]
    assert not out.exists() and not folder.exists()  # DVC removes them
    if value == "fails":
        out.write_text("half")
        raise ZeroDivisionError
    if value == "interrupted":
        raise KeyboardInterrupt
    folder.mkdir()
    out.write_text(value)
    (folder / "part").write_text(value)
cli.run(main)
"""
DEFINITION = """
stages:
  make:
    cmd: python stage.py --out out.txt --folder folder
    deps: [stage.py]
    params: [value]
    outs: [out.txt, folder]
"""


@pytest.fixture(name="repository")
def repository_in_which_it_has_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    Path("stage.py").write_text(STAGE)
    Path("dvc.yaml").write_text(DEFINITION)
    subprocess.run(["git", "init", "--quiet"], check=True)
    dvc("init", "--quiet")
    repro("first")
    return tmp_path


def dvc(*options: str) -> tuple[int, str]:
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "PYTHONPATH": str(ROOT)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *options],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.returncode, done.stdout


def repro(value: str) -> tuple[int, str]:
    Path("params.yaml").write_text(f"value: {value}\n")
    return dvc("repro")


def there() -> list[str | None]:
    return [path.read_text() if path.exists() else None for path in map(Path, ("out.txt", "folder/part"))]


@pytest.mark.parametrize("end", ["fails", "interrupted"])
def test_it_is_put_back_and_the_stage_runs_again(repository, end):
    assert there() == ["first"] * 2
    status, said = repro(end)
    assert status
    half = ["out.txt"] * (end != "fails")  # what a stage wrote itself before it failed stays as it is
    assert f"put back as before, from DVC's cache: {', '.join(map(repr, [*half, 'folder']))}" in said
    assert there() == ["half" if end == "fails" else "first", "first"]
    assert "changed" in dvc("status")[1]
    assert repro("second")[0] == 0
    assert there() == ["second"] * 2


def test_what_the_cache_has_no_more_stays_away_and_the_error_is_told(repository):
    for path in Path(".dvc/cache/files").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.unlink()
    status, said = repro("fails")
    assert status
    assert "ZeroDivisionError" in said
    assert "put back" not in said
    assert there() == ["half", None]
