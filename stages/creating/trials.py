"""Trials of candidates: trainings by the stage `train`, for fewer epochs, judged by the validation split alone."""

import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import pandas as pd

from kith.data.digests import sha256
from kith.errors import KithError
from kith.halving import Race, Trial, halve
from stages import files, params, tracking
from stages.creating.proposal import SCORES, Candidate, Proposal
from stages.creating.state import State, TrialBook, digest
from stages.params.schema import merged

SEED = 0


class Search:
    """The search among a proposal's candidates: each race by itself, in its share of the seconds."""

    def __init__(self, proposal: Proposal, state: State, seconds: float):
        self.proposal, self.seconds, self.folder = proposal, seconds, state.folder
        self.data = Path("data", proposal.name)
        plain = [list(each) for each in proposal.candidates]
        made_of = [plain, proposal.sections, proposal.encoders, sha256(self.data / "prepared" / "dataset.json")]
        self.known = {"study": proposal.name, "fingerprint": digest(made_of), "seconds": seconds}
        self.book = TrialBook(self.folder / "trials.json", digest([*made_of, seconds]))

    def run(self) -> dict[str, Race]:
        """The races, by their names; trials that were finished before are not run again."""
        import stages.train  # noqa: F401  # so that the first trial does not pay for loading torch, and for MLflow

        tracking.begin_search(self.known)
        found = {}
        for name in self.proposal.races:
            candidates = {each.name: each for each in self.proposal.candidates if each.race == name}

            def one(candidate: str, epochs: int, known: Mapping[str, Candidate] = candidates) -> Trial:
                return self.book.find(candidate, epochs) or self._train(known[candidate], epochs)

            share = self.seconds / len(self.proposal.races)
            lengths = {"first": self.proposal.first, "most": self.proposal.most}
            found[name] = halve(list(candidates), one, budget=share, **lengths)
        return found

    def _train(self, candidate: Candidate, epochs: int) -> Trial:
        """Train it for so many epochs with a whole schedule, as the final study would."""
        name = f"{candidate.name}_e{epochs}"
        method = merged(candidate.method, {"train": {"epochs": epochs}})
        values = params.check(self.proposal.content({name: method}))
        folder = self.folder / "trials" / name
        recorded, began = _Recorded(self.known, folder / "seconds.json"), time.perf_counter()
        print(f"  {name}: {epochs} epochs …", file=sys.stderr, flush=True)
        why = self._call(values, name, folder, recorded)
        starting = max(0.0, time.perf_counter() - began - recorded.now)
        score = 0.0 if why else _score(folder / "history.parquet", SCORES[candidate.race])
        seconds = round(recorded.mean * epochs + starting, 3)
        trial = Trial(candidate.name, epochs, score, seconds, round(starting, 3))
        self.book.add(trial)
        said = why or f"validation {SCORES[candidate.race].upper()} {score:.3f}"
        print(f"  {name}: {said}, {trial.seconds:.0f} s", file=sys.stderr, flush=True)
        if folder.exists():  # a training that fails at once has written nothing
            shutil.rmtree(folder)
        return trial

    def _call(self, values: params.Params, name: str, folder: Path, recorded: "_Recorded") -> str:
        """Train; empty, or why nothing came of it: numbers that are not finite lose, and the others go on."""
        from stages.train import train  # loads torch

        assert values.inputs is not None
        inputs = values.inputs.runs[f"{name}-{SEED}"]
        made = {each: self.data / each for each in ("text", "neighbors", "taxonomy", "class_embedding")}
        encoded = {each: getattr(inputs, each) for each in ("encoded_image", "encoded_text")}
        written = {"model": "model.pt", "history": "history.parquet", "trained": "trained.json"}
        places = {each: folder / file for each, file in written.items()}
        files.write_text(self.folder / "trials.log", "")
        with (self.folder / "trials.log").open("a", encoding="utf-8") as log, redirect_stdout(log):
            made |= {"data": self.data / "prepared"}
            try:
                train(values, recorded.opened, method=name, seed=SEED, **made, **encoded, **places)
            except KithError as error:
                if not isinstance(error.__context__, FloatingPointError):
                    raise
                return str(error)
        return ""


class _Recorded:
    """Opens the run of a trial for the training, and measures what its epochs cost: in a file, for those of before an
    interruption count too. now: seconds of the epochs that were trained by this process."""

    def __init__(self, search: Mapping[str, Any], path: Path):
        self.search, self.path, self.now = search, path, 0.0
        self.seconds: list[float] = files.read_json(path) if path.exists() else []

    @contextmanager
    def opened(self, method: str, seed: int, settings: dict[str, Any], made_by: str, *_: Any) -> Iterator[Any]:
        with tracking.trial(self.search, method, settings | {"seed": seed}, made_by) as run:

            def measured(record: Mapping[str, float]) -> None:
                self.seconds.append(record["seconds"])
                self.now += record["seconds"]
                files.write_json(self.path, self.seconds)
                run.epoch(record)

            yield _Measured(measured, run.finish)

    @property
    def mean(self) -> float:
        """Seconds an epoch."""
        return sum(self.seconds) / max(1, len(self.seconds))


class _Measured:
    """What a training sees of it."""

    def __init__(self, epoch: Any, finish: Any):
        self.epoch, self.finish = epoch, finish


def _score(history: Path, by: str) -> float:
    """The best epoch's, which is the one that is kept."""
    return float(pd.read_parquet(history)[f"val_{by}"].max())
