"""The command line: `kith`, its commands and the nodes."""

import errno
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import pytest
import torch
import typer

from kith.errors import KithError
from stages import cli

ROOT = Path(__file__).resolve().parents[2]
NODES = (
    *("fetch", "prepare", "text", "neighbors", "taxonomy", "class_embedding"),
    *("train", "embed", "evaluate", "compare", "report"),
)
ALL = [*cli.COMMANDS.values(), *(f"stages.{name}" for name in NODES)]


@pytest.mark.parametrize("module", ALL)
def test_every_command_and_every_option_has_help(module):
    parser = cli.command(import_module(module).main)
    assert parser.help
    assert [parameter.name for parameter in parser.params if not parameter.help] == []


def test_the_commands_are_listed_with_what_they_do(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    cli.main(["--help"])
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in cli.COMMANDS)
    assert "..." not in said.split("Commands:")[1]  # no summary is cut


def failure(capsys, arguments: list[str]) -> tuple[object, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return ended.value.code, capsys.readouterr().err


def test_usage_that_does_not_fit_is_one_line_and_status_2(capsys):
    for arguments, told in (
        (["serch"], "No such command 'serch'. Did you mean 'search'?"),
        (["check"], "Missing argument 'table'. See `kith check --help`."),
        (["check", "t.csv", "--limt", "3"], "No such option: --limt"),
        (["check", "t.csv", "--limit", "x"], "Invalid value for '--limit'"),
    ):
        code, said = failure(capsys, arguments)
        assert code == 2
        assert said.startswith("error: ")
        assert told in said
        assert said.count("\n") == 1


def test_an_error_of_the_user_is_one_line_and_status_1(monkeypatch, capsys):
    code, _ = failure(capsys, ["check", "nothing.csv"])
    assert code == "error: nothing.csv: no such file; mend fetch.path"
    monkeypatch.setenv("KITH_TRACEBACK", "1")
    with pytest.raises(KithError):
        cli.main(["check", "nothing.csv"])


FAULTS = [
    (OSError(errno.ENOSPC, "No space left on device", "a.npy"), "a.npy: No space left on device; make room there, "),
    (OSError(errno.EFBIG, "File too large"), "File too large; make room there, then run it again"),
    (OSError(errno.EDQUOT, "Disk quota exceeded", "b"), "b: Disk quota exceeded; make room there"),
    (PermissionError(errno.EACCES, "Permission denied", "c"), "c: Permission denied; give yourself the right to it"),
    (OSError(errno.EROFS, "Read-only file system", "d"), "d: Read-only file system; give yourself the right to it"),
    (FileNotFoundError(errno.ENOENT, "No such file or directory", "e"), "e: No such file or directory; make it first"),
    (IsADirectoryError(errno.EISDIR, "Is a directory", "f"), "f: Is a directory; name another"),
    (OSError("Couldn't deserialize\nthrift"), "Couldn't deserialize thrift"),
    (MemoryError("Unable to allocate 74.5 GiB"), "too little memory (Unable to allocate 74.5 GiB); end other programs"),
    (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate"), "too little memory ([enforce fail] Default"),
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), "too little memory (CUDA out of memory. Tried"),
]


@pytest.mark.parametrize(("fault", "told"), FAULTS, ids=lambda value: type(value).__name__)
def test_a_fault_of_the_machine_is_one_line_and_says_what_to_do(monkeypatch, capsys, fault, told):
    def failing(*, name: str = "") -> None:
        """Fail."""
        raise fault

    monkeypatch.setattr("stages.evolution.main", failing)
    code, _ = failure(capsys, ["evolution"])
    assert code.startswith(f"error: {told}")
    assert "\n" not in code
    monkeypatch.setenv("KITH_TRACEBACK", "1")
    with pytest.raises(type(fault)):
        cli.main(["evolution"])


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch):
    def failing(*, name: str = "") -> None:
        """Fail."""
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr("stages.evolution.main", failing)
    with pytest.raises(RuntimeError, match="shapes"):
        cli.main(["evolution"])


def test_ctrl_c_is_one_line_and_status_130(monkeypatch, capsys):
    def interrupted(*, name: str = "") -> None:
        """Wait."""
        raise KeyboardInterrupt

    monkeypatch.setattr("stages.evolution.main", interrupted)
    code, said = failure(capsys, ["evolution"])
    assert (code, said.strip()) == (130, "interrupted")


def test_ctrl_c_says_how_to_go_on(monkeypatch, capsys):
    def interrupted(*, name: str = "") -> None:
        """Wait."""
        cli.if_interrupted("the same command goes on after epoch 3")
        raise KeyboardInterrupt

    monkeypatch.setattr("stages.evolution.main", interrupted)
    code, said = failure(capsys, ["evolution"])
    assert (code, said.strip()) == (130, "interrupted; the same command goes on after epoch 3")


def test_the_help_imports_nothing_heavy():
    code = (
        "import sys; from stages import cli; cli.main(['--help']); "
        "sys.exit(bool({'torch', 'mlflow', 'dvc', 'pandas', 'rich'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


@pytest.mark.parametrize("threads", ["1", "3"])
def test_sums_are_shared_by_as_many_threads_everywhere(threads):
    """Whatever the engine sets, a stage computes with its own number of threads: the same bytes follow."""
    code = """
import numpy
from threadpoolctl import threadpool_info
from stages import cli

def main() -> None:
    import scipy.linalg
    import sklearn.metrics
    pools = threadpool_info()
    print({each["num_threads"] for each in pools}, {each["user_api"] for each in pools} >= {"blas", "openmp"})

cli.run(main, [])
"""
    environment = os.environ | {"OMP_NUM_THREADS": threads, "PYTHONPATH": str(ROOT)}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout == "{1} True\n"


def test_an_option_of_several_values_is_repeated_or_followed_by_all(capsys):
    def main(*, names: list[str], count: int = 1) -> None:
        """A stage for the test."""
        print(names, count)

    for given in (["--names", "a", "--names", "b", "--count", "2"], ["--count", "2", "--names", "a", "b"]):
        cli.run(main, given)
        assert capsys.readouterr().out == "['a', 'b'] 2\n"
    with pytest.raises(SystemExit):
        cli.run(main, ["--names", "a", "--count", "2", "3"])
    assert "unexpected extra argument" in capsys.readouterr().err


@pytest.mark.parametrize(
    "given",
    [
        ["--names", "a", "b", "t.csv"],
        ["t.csv", "--names", "a", "b"],
        ["--names", "a", "b", "--count", "2", "t.csv"],
        ["--count", "2", "--names", "a", "b", "t.csv", "--quick"],
        ["--names", "a", "b", "--quick", "t.csv"],
        ["--quick", "t.csv", "--names", "a", "--names", "b"],
    ],
    ids=["last", "first", "behind another", "before a flag", "behind a flag", "each named"],
)
def test_the_argument_that_a_command_lacks_is_no_value_of_the_option_before_it(capsys, given):
    def main(
        *,
        path: Annotated[Path, typer.Argument()],
        names: list[str],
        count: int = 1,
        quick: Annotated[bool, typer.Option("--quick")] = False,
    ) -> None:
        """A command for the test."""
        print(path, names)

    cli.run(main, given)
    assert capsys.readouterr().out == "t.csv ['a', 'b']\n"
