"""What the pages tell readers to run, shell commands and Python alike, and the running of it in the order of a page."""

import io
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from stages import cli

ROOT = Path(__file__).resolve().parent.parent
PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
SHELL = {"bash", "sh", "shell", "console"}
# Code that begins with a program, and goes on, is a command.
COMMAND = re.compile(
    r"(\w+=\S* )*(bash|cd|conda|cp|curl|docker|dvc|export|git|kith|make|mkdir|mlflow|mv|pip3?|pytest|python3?|rm|ruff"
    r"|sbatch|sh|snakemake|source|srun|ssh|sudo|tar|torchrun|unzip|uv|wget) \S"
)
# What does and says the same in every folder of the tests: once is enough.
ANYWHERE = re.compile(r"pip install |(make|kith) ui$")
# A single command of ours, which need not start a process and import everything again.
OURS = re.compile(r"kith (check|cost|drift|embed|new|evolution|export|search|study|track)( [^;&|<>$]*)?")
CODE = re.compile(r"^```(?P<language>\w*)\n(?P<block>.*?)^```$|`(?P<inline>[^`]+)`", re.DOTALL | re.MULTILINE)


class Example(NamedTuple):
    line: int
    kind: str  # "python", "command" (a line of a block), "inline" (a command), or the language of any other block
    text: str


class Followed(NamedTuple):
    outputs: dict[str, str]  # what each command, as the page has it, and each block of Python said
    names: dict[str, Any]  # what the Python blocks have defined


def examples(page: str) -> list[Example]:
    """What a page has to run, and its other blocks, in order."""
    return list(_examples((ROOT / page).read_text(encoding="utf-8")))


def _examples(text: str) -> Iterator[Example]:
    for code in CODE.finditer(text):
        line = text.count("\n", 0, code.start()) + 1
        language, block = code["language"], code["block"]
        if code["inline"]:
            inline = " ".join(code["inline"].split())
            if COMMAND.match(inline):
                yield Example(line, "inline", inline)
        elif language in SHELL or (not language and COMMAND.match(block)):
            for command in re.sub(r"\\\n\s*", " ", block).splitlines():
                if command := re.sub(r"(^|\s+)#.*", "", command):
                    yield Example(line, "command", command)
        else:
            yield Example(line, language, block)


def follow(page: str, folder: Path, stand_ins: dict[str, str], elsewhere: dict[str, str]) -> Followed:
    """Run all that a page says in `folder`, from top to bottom, with the words of `stand_ins` exchanged.

    Commands of `elsewhere` are left to the tests named there. Inline ones that the page repeats are run once.
    """
    done = Followed({}, {})
    found = [example for example in examples(page) if example.kind in ("python", "command", "inline")]
    blocks = {example.text for example in found if example.kind == "command"}
    assert not [words for words in stand_ins if not any(words in example.text for example in found)]
    for line, kind, text in found:
        if text in elsewhere or (kind == "inline" and (text in blocks or text in done.outputs)):
            continue
        meant = text
        for words, instead in stand_ins.items():
            meant = meant.replace(words, instead)
        try:
            done.outputs[text] = _python(meant, folder, done.names) if kind == "python" else run(meant, folder)
        except Exception as fault:
            raise AssertionError(f"{page}, line {line}: {text}\nrun as: {meant}\n{fault}") from fault
    return done


def run(command: str, folder: Path) -> str:
    """What a command prints; of one that serves, its page."""
    if not ANYWHERE.match(command):
        return _run(command, folder)
    if command not in _said:
        _said[command] = _run(command, folder)
    return _said[command]


_said: dict[str, str] = {}


def _run(command: str, folder: Path) -> str:
    if "--serve" in command or command in ("make ui", "kith ui"):
        return _served(command, folder)
    if OURS.fullmatch(command):
        return _kith(shlex.split(command)[1:], folder)
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", command],
        cwd=folder,
        env=_environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout[-3000:]}"
    return done.stdout


def _kith(arguments: list[str], folder: Path) -> str:
    said = io.StringIO()
    with chdir(folder), redirect_stdout(said), redirect_stderr(said), mock.patch.dict(os.environ):
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        try:
            cli.main(arguments)
        except SystemExit as end:
            raise AssertionError(f"{said.getvalue()[-3000:]}\n{end}") from end
    return said.getvalue()


def _python(block: str, folder: Path, names: dict[str, Any]) -> str:
    with chdir(folder), redirect_stdout(io.StringIO()) as printed:
        exec(block, names)
    return printed.getvalue()


def _environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # MLflow hands on to children where other tests in this process have logged to.
    kept = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    return kept | {"DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1", "PATH": path}


def _served(command: str, folder: Path) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command += f" --port {port}" if "--serve" in command else ""
    own = _environment() | {"MLFLOW_PORT": port, "MLFLOW_WORKERS": "1"}
    with (folder.parent / "server.log").open("w+") as log:
        # A group of its own, so that what it starts ends with it.
        server = subprocess.Popen(
            ["bash", "-c", command], cwd=folder, env=own, start_new_session=True, stdout=log, stderr=log
        )
        try:
            for _ in range(1200):
                try:
                    return urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30).read().decode()
                except OSError:
                    assert server.poll() is None, Path(log.name).read_text()
                    time.sleep(0.25)
            raise AssertionError(f"no answer\n{Path(log.name).read_text()}")
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()
