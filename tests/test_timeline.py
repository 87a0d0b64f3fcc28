"""The timeline of a run, from what Snakemake's jobs have left."""

import os

import pytest

from benchmarks import timeline
from kith.errors import KithError
from kith.plots.style import png

HEAD = "s\th:m:s\tmax_rss\tcpu_time\n"


@pytest.fixture
def logs(tmp_path):
    """Two jobs: one from second 0 to 10, whose log says what it took, one from 4 to 24, of an earlier version."""
    told = {
        "fetch": (10, 1010, "took 10.000 s: 1.500 s of a processor, 0.250 s of the system\n"),
        "train/a-0": (20, 1024, ""),
    }
    for name, (seconds, end, last) in told.items():
        path = tmp_path / f"{name}.tsv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{HEAD}{seconds}.0\t0:00:{seconds}\t1.0\t7.5\n")
        path.with_suffix(".log").write_text(f"something said\n{last}")
        os.utime(path, (end, end))
    return tmp_path


def test_jobs_stand_by_their_start_with_what_they_took(logs):
    table = timeline.jobs(logs)
    assert table.to_dict("list") == {
        "stage": ["fetch", "train"],
        "run": ["", "a-0"],
        "start": [0.0, 4.0],
        "seconds": [10.0, 20.0],
        "cpu": [1.8, 7.5],
    }
    assert timeline.by_stage(table).endswith("| all, from first to last | 2 | 24.0 | 9.3 |")
    assert png(timeline.timeline(table, "made up")).startswith(b"\x89PNG")


def test_without_a_run_it_says_so(tmp_path):
    with pytest.raises(KithError, match="no job has left a benchmark there"):
        timeline.jobs(tmp_path)
