"""Progress is a bar on a terminal and else a line now and then, also on the terminal of an engine."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from kith import progress
from kith.progress import Progress, over
from stages import cli


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when the test says so."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_every_half_minute_says_where_it_is_and_how_long_it_takes(clock, capsys):
    with Progress("method infonce (3 of 9), seed 0", 12 * 313, "batches") as told:
        for batch in range(1, 314):
            clock[0] += 1
            told.step(1, f"epoch 1 of 12, batch {batch} of 313")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "method infonce (3 of 9), seed 0, epoch 1 of 12, batch 30 of 313, about 62 min left"
    assert len(lines) == 10


def test_work_that_is_done_soon_or_not_shown_tells_nothing(clock, capsys):
    list(over(range(100), "quick", 100))
    with Progress("second process", 5, shown=False) as told:
        clock[0] += 100
        told.step()
    assert capsys.readouterr().err == ""


def test_without_a_total_what_is_done_is_counted(clock, capsys):
    for _ in over(range(3), "check", unit="pictures"):
        clock[0] += 31
    assert capsys.readouterr().err.splitlines()[0] == "check: 1 pictures"


def test_steps_of_another_time_do_not_count_for_the_speed(clock):
    told = Progress("download", 100, "bytes", before=50)
    clock[0] += 100
    told.step(10)
    assert told.line() == "download: 60 of 100 bytes, about 7 min left"


def test_a_terminal_gets_a_bar_with_the_same_words(clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress("prepare", 10, "pictures") as told:
        for _ in range(4):
            clock[0] += 1
            told.step()
        told.clear()
    assert "prepare: 4 of 10 pictures, about 10 s left" in terminal.getvalue()


def test_the_terminal_of_an_engine_gets_the_lines_too(clock, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_others", [])
    read, write = os.pipe()
    monkeypatch.setenv("KITH_PROGRESS", str(write))
    cli._connect_terminal()
    os.close(write)
    assert "KITH_PROGRESS" not in os.environ
    with Progress("prepare", 10, "pictures") as told:
        clock[0] += 31
        told.step()
    line = capsys.readouterr().err
    assert os.read(read, 1000).decode() == line == "prepare: 1 of 10 pictures, about 5 min left\n"
    os.close(read)
    clock[0] += 31
    told.step()  # nobody is there any more
    assert capsys.readouterr().err.startswith("prepare: 2 of 10")


@pytest.mark.parametrize("number", ["", "x", "987"])
def test_a_terminal_that_is_not_there_is_none(number, monkeypatch):
    monkeypatch.setattr(progress, "_others", [])
    monkeypatch.setenv("KITH_PROGRESS", number)
    cli._connect_terminal()
    assert progress._others == []


def test_snakemake_keeps_what_a_stage_prints_and_shows_its_progress(tmp_path):
    rules = (Path(__file__).resolve().parents[1] / "workflow/rules/stages.smk").read_text()
    shell = "".join(re.findall(r'"(.*)"', re.search(r'shell:\s+((?:".*"\s+)+)', rules)[1]))
    code = "import os; os.write(int(os.environ['KITH_PROGRESS']), b'half done'); print('printed')"
    command = shell.format(params=SimpleNamespace(cmd=f'{sys.executable} -c "{code}"'), log=tmp_path / "log")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr, (tmp_path / "log").read_text().splitlines()[0]) == ("", "half done", "printed")
