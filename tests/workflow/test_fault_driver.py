"""The driver of benchmarks/faults, with a few faults done to the miniature repository."""

import os
import random

import pytest

from benchmarks.faults import damage, kills, machine, outcome, record, together
from benchmarks.faults.__main__ import plan
from benchmarks.faults.checkout import Checkout
from tests.miniature import ALL, Repository, copy

pytestmark = pytest.mark.slow
MODEL, OTHER, METRICS = "runs/mini/a-0/model.txt", "runs/mini/b-0/model.txt", "reports/mini/metrics.json"


def checkout(repository: Repository, folder, engine: str, monkeypatch) -> Checkout:
    """A copy of a repository that has run, whose kinds of files are those of the miniature."""
    monkeypatch.setattr(damage, "FILES", {"model": MODEL, "params.yaml": "params.yaml", "lock": "dvc.lock"})
    return Checkout(copy(repository, folder).path, engine)


@pytest.fixture
def dvc(by_dvc, tmp_path, monkeypatch) -> Checkout:
    return checkout(by_dvc, tmp_path, "dvc", monkeypatch)


@pytest.fixture
def snakemake(by_snakemake, tmp_path, monkeypatch) -> Checkout:
    return checkout(by_snakemake, tmp_path, "snakemake", monkeypatch)


def row(kind: str, fault: str, engine: str, place: str) -> outcome.Row:
    return outcome.Row(0, kind, fault, engine, place)


def test_jobs_are_known_by_what_they_run_and_write(dvc):
    assert [job.target for job in dvc.jobs()] == ALL
    assert dvc.job("train@a-0").outs == [MODEL]
    assert dvc.job("compare").words[:2] == ["step.py", "compare"]


@pytest.mark.parametrize("times", [1, 2])
def test_a_killed_stage_is_made_again_by_a_plain_rerun(dvc, times):
    wanted, done = dvc.hashes(), row("kill", "SIGKILL, the whole run", "dvc", "train@a-0")
    (dvc.folder / "wait.train@a-0").touch()  # so that it is killed before its end, however busy the machine is
    stages: list = []

    def unwaiting(run, stage):
        stages.append(stage)
        kills.whole_run(run, stage)
        if len(stages) == times:
            (dvc.folder / "wait.train@a-0").unlink()

    kills.KILLS["test"] = unwaiting
    try:
        done.fault, done.kills = "test", times
        kills.kill(done, dvc, wanted, {"train@a-0": 0.1, "dvc engine": 0.1}, random.Random(0))
    finally:
        del kills.KILLS["test"]
    assert (done.ended, done.again, done.besides) == (outcome.SAME, "train@a-0", "")
    assert done.moment.count("after ") == done.kills == times
    assert [stage is None for stage in stages] == [False, True][:times]  # the second may come at any moment
    assert dvc.hashes() == wanted


def test_a_flipped_bit_is_seen_and_mended_by_snakemake(snakemake):
    wanted, done = snakemake.hashes(), row("file", "a bit flipped", "snakemake", "model")
    damage.damage(done, snakemake, wanted, random.Random(0))
    assert (done.ended, done.moment) == (outcome.SAME, MODEL)
    assert "train@a-0" in done.again.split()


def test_a_file_of_the_user_that_is_cut_short_is_told_and_put_back(dvc):
    wanted, done = dvc.hashes(), row("file", "cut short", "dvc", "params.yaml")
    damage.damage(done, dvc, wanted, random.Random(0))
    assert done.ended == outcome.TOLD
    assert "Could not find 'study.methods'" in done.sentence  # DVC's own


def rows_of(*faults: tuple[str, str], engine: str = "snakemake") -> list[outcome.Row]:
    return [outcome.Row(at, "file", fault, engine, place) for at, (fault, place) in enumerate(faults)]


def test_several_files_are_damaged_before_one_rerun(snakemake, monkeypatch):
    monkeypatch.setattr(damage, "FILES", {"model": MODEL, "other model": OTHER, "metrics": METRICS})
    wanted, runs = snakemake.hashes(), []
    run = snakemake.run
    monkeypatch.setattr(snakemake, "run", lambda: [runs.append(run()), runs[-1]][1])
    rows = rows_of(("a bit flipped", "model"), ("rotten", "other model"), ("emptied", "metrics"))
    assert together.damage_together(rows, snakemake, wanted, lambda row: random.Random(row.number)) == []
    assert [each.ended for each in rows] == [outcome.SAME] * 3
    assert rows[1].moment == f"{OTHER}, with 2 others"
    assert len(runs) == 1
    assert snakemake.hashes() == wanted


def test_what_is_made_again_only_because_of_another_is_not_judged(snakemake, monkeypatch):
    monkeypatch.setattr(damage, "FILES", {"model": MODEL, "metrics": METRICS})
    (snakemake.folder / ".snakemake/checksums.json").unlink()  # rotten files are not seen
    rows = rows_of(("a bit flipped", "model"), ("rotten", "metrics"))
    left = together.damage_together(rows, snakemake, snakemake.hashes(), lambda row: random.Random(row.number))
    assert left == [rows[1]] == rows_of(("", ""), ("rotten", "metrics"))[1:]
    assert rows[0].ended == outcome.SAME


def test_where_several_do_not_end_well_none_is_judged(dvc, monkeypatch):
    monkeypatch.setattr(damage, "FILES", {"model": MODEL, "other model": OTHER})
    rows = rows_of(("cut short", "model"), ("emptied", "other model"), engine="dvc")
    wanted = dvc.hashes() | {METRICS: "0" * 64}
    left = together.damage_together(rows, dvc, wanted, lambda row: random.Random(row.number))
    assert left == rows == rows_of(("cut short", "model"), ("emptied", "other model"), engine="dvc")


def test_groups_are_of_one_engine_and_have_a_job_once(dvc, monkeypatch):
    kinds = {"model": MODEL, "again": MODEL, "other model": OTHER, "lock": "dvc.lock", "params.yaml": "params.yaml"}
    monkeypatch.setattr(damage, "FILES", kinds)
    monkeypatch.setattr(damage, "NOTING", "train@a-0")
    rows = rows_of(*(("emptied", place) for place in kinds)) + rows_of(("emptied", "model"), engine="dvc")
    for at, each in enumerate(rows):
        each.number = at
    whole = {"dvc": dvc, "snakemake": Checkout(dvc.folder, "snakemake")}
    found = together.groups(rows, whole, lambda row: random.Random(row.number), 9)
    assert [[each.number for each in group] for group in found] == [[0, 2], [1], [3], [4], [5]]
    assert all(len(group) == 1 for group in together.groups(rows, whole, lambda row: random.Random(0), 1))


def test_two_runs_at_once_are_one_and_a_refusal(snakemake, monkeypatch):
    wanted, done = snakemake.hashes(), row("two", "beside snakemake", "snakemake", "train@a-0")
    waits = snakemake.folder / "wait.train@a-0"
    waits.touch()
    # Where the run that was copied has left one: the second run is to begin after the first.
    (snakemake.folder / "ran.txt").unlink(missing_ok=True)
    monkeypatch.setattr(machine.time, "sleep", lambda seconds: _until_begun(snakemake))
    start = snakemake.start

    def second(engine=None, name="run", **environment):
        run = start(engine, name, **environment)
        if name == "second":
            assert run.wait(120) == 1
            waits.unlink()
        return run

    monkeypatch.setattr(snakemake, "start", second)
    machine.two_at_once(done, snakemake, wanted, random.Random(0))
    assert done.sentence.startswith("error: Snakemake runs in this folder")


def _until_begun(checkout: Checkout) -> None:
    import threading

    ran = checkout.folder / "ran.txt"
    for _ in range(1200):
        if ran.exists() and "train@a-0" in ran.read_text():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not begin")


def test_a_lock_that_dvc_cannot_read_is_mended_as_the_page_says(dvc):
    wanted, done = dvc.hashes(), row("file", "a bit flipped", "dvc", "lock")
    (dvc.folder / "dvc.lock").write_text((dvc.folder / "dvc.lock").read_text().replace("- path: ", "- path; ", 1))
    outcome.judge(done, dvc, wanted)
    assert (done.ended, done.sentence[:27]) == (outcome.TOLD, "'./dvc.lock' is invalid. (a")


def test_what_ended_otherwise_is_not_called_the_same(dvc):
    wanted = dvc.hashes() | {MODEL: "0" * 64}
    done = row("file", "cut short", "dvc", "model")
    outcome.judge(done, dvc, wanted)
    assert (done.ended, done.besides) == (outcome.OTHER, f"differ: {MODEL}")
    assert outcome.halves(dvc, wanted) == [MODEL]


def test_each_place_comes_before_any_comes_again():
    rows = plan("kill", ["a", "b"], ["one", "two", "three"], ["dvc", "snakemake"], 7)
    first = [next(rows) for _ in range(12)]
    for start in range(0, 12, 3):
        assert {each.place for each in first[start : start + 3]} == {"one", "two", "three"}
    assert len({(each.place, each.fault, each.engine) for each in first}) == 12
    again = plan("kill", ["a", "b"], ["one", "two", "three"], ["dvc", "snakemake"], 7)
    assert [next(again) for _ in range(12)] == first


def test_the_record_is_read_again_and_summed_up(tmp_path):
    path = tmp_path / "faults.csv"
    rows = [row("kill", "SIGINT, the whole run", "dvc", "text"), row("file", "emptied", "snakemake", "model.pt")]
    rows[0].ended, rows[0].moment, rows[0].kills = outcome.SAME, "after 1.0 s, after 0.2 s", 2
    rows[1].ended, rows[1].sentence = outcome.TOLD, "error: model.pt: cannot be read (it is empty); train again"
    for each in rows:
        record.add(path, each)
    assert record.read(path) == rows
    page = record.page(record.read(path), "python -m benchmarks.faults", "In two pieces.")
    assert "2 kills of 1 runs and 1 other faults" in page
    assert "\n\nIn two pieces.\n\n" in page
    assert "| text | dvc | 1 | 1 |  |  |  |" in page
    assert "`error: model.pt: cannot be read (it is empty); train again`" in page
    assert f"{os.cpu_count()} cores" in page


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("x\nerror: a.npy: is empty; train again\n", "error: a.npy: is empty; train again"),
        ("ERROR: failed to reproduce 'a': failed\nTraceback (most recent call last):\nKeyError: 3\n", ""),
        ("ERROR: Unable to acquire lock. Most likely another", "ERROR: Unable to acquire lock. Most likely another"),
        ("Nothing to be done", ""),
    ],
)
def test_a_sentence_is_a_line_and_no_traceback(said, told):
    assert outcome.sentence(said) == told
