"""The search of `kith new` on prepared data: real trainings, an interruption in the middle of one, and MLflow."""

import json
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest

from stages import train
from stages.creating.proposal import PAIRS, Candidate, Proposal
from stages.creating.state import State
from stages.creating.trials import Search
from stages.params.schema import merged
from tests.conftest import PARAMS

NAMES = ["infonce_small", "infonce_large", "siglip_small", "siglip_large"]


def proposed() -> Proposal:
    sections = {name: PARAMS[name] for name in ("fetch", "prepare", "text", "neighbors")}
    sections["train"] = {name: value for name, value in PARAMS["train"].items() if name != "epochs"}
    candidates = []
    for name in NAMES:
        preset, _, size = name.partition("_")
        method = {"preset": preset, "train": {"select": "mrr", "dim": {"small": 8, "large": 24}[size]}}
        candidates.append(Candidate(name, PAIRS, preset, method))
    return Proposal("shapes", sections, {}, candidates, {}, first=2, most=6)


def search() -> Search:
    return Search(proposed(), State("shapes"), 600.0)


def test_interrupted_in_a_trial_it_goes_on_there_and_repeats_nothing(study, monkeypatch, capfd):
    """The third trial is cut off after its first epoch, whose state is kept."""
    trained, whole, epochs = [], train.train, []
    write = train.Checkpoint.write

    def counted(values, opened, **given):
        trained.append(given["method"])
        return whole(values, opened, **given)

    def interrupted(self, state):
        write(self, state)
        epochs.append(len(state["history"]))
        if len(trained) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(train, "train", counted)
    monkeypatch.setattr(train.Checkpoint, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search().run()
    assert trained == [f"{name}_e2" for name in NAMES[:3]]
    before = trials()
    assert [each["candidate"] for each in before] == NAMES[:2]
    monkeypatch.setattr(train.Checkpoint, "write", lambda self, state: (write(self, state), epochs.append("on"))[0])
    race = search().run()[PAIRS]
    assert epochs[5] == "on"  # of the third, whose first epoch is there, the second
    assert epochs[4] == 1
    assert trained[2:4] == ["siglip_small_e2"] * 2
    assert len(set(trained)) == len(trained) - 1
    assert trials()[:2] == before
    assert [each.epochs for each in race.trials] == [2, 2, 2, 2, 6, 6, 6][: len(race.trials)]
    done = len(trained)
    assert search().run()[PAIRS] == race
    assert len(trained) == done
    assert not list(Path("data/shapes/new/trials").iterdir())
    _recorded(len(race.trials))


def trials() -> list[dict]:
    return json.loads(Path("data/shapes/new/trials.json").read_text())["trials"]


def _recorded(count: int) -> None:
    """One run a trial, also of the one that was interrupted, all below that of the search."""
    client = mlflow.MlflowClient(f"sqlite:///{Path('mlflow.db').resolve()}")
    (experiment,) = (each for each in client.search_experiments() if each.name == "shapes")
    (parent,) = client.search_runs([experiment.experiment_id], "tags.stage = 'search'")
    found = client.search_runs([experiment.experiment_id], "tags.stage = 'trial'")
    assert len(found) == count
    assert {each.data.tags["mlflow.parentRunId"] for each in found} == {parent.info.run_id}
    assert {each.info.status for each in found} == {"FINISHED"}
    assert all("val_mrr" in each.data.metrics for each in found)
    assert not [name for each in found for name in each.data.metrics if name.startswith("test")]


def test_a_candidate_whose_numbers_are_not_finite_loses_and_the_others_go_on(study, capfd):
    proposal = proposed()
    wild = merged(proposal.candidates[0].method, {"train": {"lr": 1e30}})
    candidates = [Candidate("wild", PAIRS, "infonce", wild), proposal.candidates[2]]
    race = Search(replace(proposal, candidates=candidates), State("shapes"), 600.0).run()[PAIRS]
    assert race.winner.candidate == "siglip_small"
    assert next(each.score for each in race.trials if each.candidate == "wild") == 0
    assert "lower the learning rate" in capfd.readouterr().err


def test_trials_of_other_data_count_for_nothing(study):
    first = search()
    book = first.book.path
    book.parent.mkdir(parents=True)
    known = {"candidate": "infonce_small", "epochs": 2, "score": 1.0, "seconds": 1.0}
    book.write_text(json.dumps({"fingerprint": first.book.fingerprint, "trials": [known]}))
    assert search().book.find("infonce_small", 2).score == 1.0
    path = Path("data/shapes/prepared/dataset.json")
    path.write_text(path.read_text() + "\n")
    assert search().book.find("infonce_small", 2) is None
