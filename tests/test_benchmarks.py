"""The benchmarks: what a table says, that answers are compared first, and that what is finished is kept."""

import dataclasses
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks.measuring import Figures, Program, Way
from benchmarks.table import COLUMNS, Case, Row, agree, as_markdown, growth, rows_of


def row(step: str, n: int, cpu: float, mb: float = 1.0) -> Row:
    return Row(step, n, cpu, cpu, mb, n / cpu)


def adding(count: int, wrong: float = 0.0) -> Callable[[], Any]:
    numbers = np.arange(count, dtype=np.float64)
    return lambda: {"sum": numbers.sum() + wrong, "held": len(np.ones(1_000_000 * (wrong == 0)))}


def missing() -> Callable[[], Any]:
    import no_such_package  # noqa: F401

    return lambda: None


def failing() -> Callable[[], Any]:
    raise ValueError("of no use")


def hungry() -> Callable[[], Any]:
    return lambda: np.zeros(2**40)


@pytest.mark.parametrize("name", command.TABLES)
def test_every_table_says_what_it_is_and_its_options_are_plain(name):
    module = command.module(name)
    assert module.TITLE
    assert module.ABOUT.endswith(".")
    assert module.__doc__
    for default in command.options_of(module.cases).values():
        assert isinstance(default, tuple | int | str), default


def test_growth_is_that_of_a_power():
    grown = growth([row("square", n, 1e-6 * n**2, mb=n) for n in (10, 100, 1000)] + [row("alone", 5, 1.0)])
    assert list(grown) == ["square"]
    assert grown["square"]["cpu"] == pytest.approx(2)
    assert grown["square"]["mb"] == pytest.approx(1)


def test_work_is_measured_in_a_process_of_its_own():
    found = Way(adding, (10,)).measure()
    assert found.answer["sum"] == 45
    assert 0 < found.cpu < 1
    assert 7 < found.mb < 20  # a million float64
    assert Way(missing).measure().failed == "no_such_package is not installed"
    assert Way(hungry).measure().failed == "out of memory"
    with pytest.raises(SystemExit, match="of no use"):
        Way(failing).measure()


def test_a_program_is_measured_and_its_failure_told(tmp_path):
    found = Program(("-c", "import sys; print('so', file=sys.stderr)"), tmp_path).measure()
    assert found.answer == "so\n"
    assert found.cpu > 0
    with pytest.raises(SystemExit, match="status 3"):
        Program(("-c", "raise SystemExit(3)"), tmp_path).measure()


class Made:
    """What is measured, made up."""

    def __init__(self, cpu: float, answer: Any = None, failed: str | None = None, missing: bool = False):
        self.figures = Figures(cpu, cpu, 1.0, answer, failed, missing)

    def measure(self) -> Figures:
        return self.figures


def test_ratios_stand_beside_what_was_compared():
    case = Case(
        "step",
        100,
        Made(2.0, [1.0]),
        {"other": Made(8.0, [1.0]), "absent": Made(0.0, failed="absent is not installed", missing=True)},
        {"a paper": 20.0},
        limit=("a product", Made(1.0)),
    )
    published, other, absent = rows_of(case)
    assert (published.against, published.faster) == ("a paper", 10.0)
    assert (other.against, other.faster, other.its_mb, other.of_limit) == ("other", 4.0, 1.0, 2.0)
    assert (published.at_most, other.at_most) == (20.0, 8.0)  # times of the limit
    assert absent.against is None
    assert absent.note == "absent: absent is not installed"


@pytest.mark.parametrize("theirs", [[1.0, 2.1], [1.0], {"sum": 3.0}])
def test_times_of_another_answer_are_not_told(theirs):
    ours = {"sum": 3.1} if isinstance(theirs, dict) else [1.0, 2.0]
    with pytest.raises(SystemExit, match="step, n = 100: other has another answer"):
        list(rows_of(Case("step", 100, Made(2.0, ours), {"other": Made(8.0, theirs)})))


def test_answers_without_a_common_key_do_not_agree():
    with pytest.raises(AssertionError, match="no key in common"):
        agree({"mrr": 1.0}, {"map": 1.0}, 1e-6)


@pytest.mark.parametrize("table", ["losses", "mining"])
def test_zeros_do_not_pass_for_the_gradients_of_large_batches(table):
    for case in command.module(table).cases(False, batches=(512,)):
        if not case.references or case.step.startswith("semi_hard"):  # of which either draws its own
            continue
        answer = [each.detach().numpy() for each in case.ours.make(*case.ours.arguments)()]
        compared = {"other": Made(1.0, answer)}
        assert list(rows_of(dataclasses.replace(case, ours=Made(1.0, answer), references=compared, limit=None)))
        wrong = Made(1.0, [answer[0], *(each * 0 for each in answer[1:])])
        with pytest.raises(SystemExit, match="other has another answer"):
            list(rows_of(dataclasses.replace(case, ours=wrong, references=compared, limit=None)))


def test_a_page_leaves_out_empty_columns():
    head = {"command": "python -m benchmarks x", "date": "today", "commit": "c", "machine": "m", "versions": {"a": "1"}}
    page = as_markdown("Title", "About.", head, [row("a step", 1000, 0.5), row("a step", 2000, 1.0)])
    assert page.startswith("# Title\n\nAbout.\n\n`python -m benchmarks x`\n\ntoday, commit c; m; a 1.\n")
    assert f"| {' | '.join(COLUMNS[:6])} |" in page
    assert "| a step | 1,000 | 0.5 | 0.5 | 1 | 2,000 |" in page
    assert "| a step | 1.00 | 0.00 |" in page


def test_a_finished_table_is_kept(tmp_path, monkeypatch, capsys):
    made = []

    class Table:
        TITLE, ABOUT = "Title", "About."

        @staticmethod
        def cases(quick: bool, *, sizes: tuple[int, ...] = (1, 2), kind: str = "a"):
            made.append((quick, sizes, kind))
            yield from (Case(kind, size, Made(float(size))) for size in sizes)

    monkeypatch.setattr(command, "module", lambda name: Table)

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["benchmarks", "text", "--out", str(tmp_path), *arguments])
        command.main()
        return capsys.readouterr().out

    assert "| a | 2 | 2 |" in run("--quick")
    assert "| a | 2 | 2 |" in run("--quick")
    assert len(made) == 1
    run()  # what is there is of small sizes
    run()
    run("--quick")
    assert len(made) == 2
    run("--again")
    assert len(made) == 3
    content = json.loads((tmp_path / "text.json").read_text(encoding="utf-8"))
    assert content["head"]["command"] == "python -m benchmarks text"
    assert [each["cpu"] for each in content["rows"]] == [1.0, 2.0]
    assert "| b | 7 | 7 |" in run("--set", "sizes=7,8", "--set", "kind=b")
    assert made[-1] == (False, (7, 8), "b")
    assert json.loads((tmp_path / "text.json").read_text(encoding="utf-8")) == content
    with pytest.raises(SystemExit, match="the options of this table are sizes, kind"):
        run("--set", "other=1")
