"""What Snakemake does at the end of a run in which a method has failed."""

import sys
from types import SimpleNamespace

import pytest

from workflow import run
from workflow.run import SnakemakeRun


class Job:
    def __init__(self, rule, method=None):
        self.rule, self.wildcards_dict = SimpleNamespace(name=rule), {"method": method} if method else {}


def stage(name, *methods):
    items = [{"method": method} for method in methods] or [{}]
    return [(SimpleNamespace(name=name, wildcards=lambda: ["method"] * bool(methods)), item) for item in items]


@pytest.mark.parametrize(
    ("measured", "asked", "keeps_going", "ranks"),
    [
        (["a"], ["compare"], True, True),
        (["a"], ["compare"], False, False),  # the others may not have had the time
        (["a"], [], True, False),  # asked for something else
        ([], ["compare"], True, False),
        (["a", "b"], ["compare"], True, False),  # it is not a method that has failed
    ],
)
def test_the_others_are_ranked(monkeypatch, measured, asked, keeps_going, ranks):
    evaluated = {method: Job("evaluate", method) for method in ("a", "b")}
    plan = SimpleNamespace(
        jobs=[*evaluated.values(), *map(Job, asked)],
        finished_jobs=[evaluated[method] for method in measured],
        needrun=lambda job: True,
    )
    workflow = SimpleNamespace(dag=plan, execution_settings=SimpleNamespace(keep_going=keeps_going))
    dag = SimpleNamespace(items=lambda: stage("evaluate", "a", "b") + stage("compare"))
    called = []
    monkeypatch.setattr(run.subprocess, "run", called.append)
    SnakemakeRun(workflow, dag).rank_the_others()
    assert called == [[sys.executable, "-m", "stages.partial"]] * ranks
