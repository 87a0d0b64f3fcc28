"""Where a `kith new` is, in files under data/<study>/new: so the same command goes on, and repeats nothing."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from kith.errors import KithError
from kith.halving import Trial
from stages import files

STUDIES = Path("studies")
CHECKED = "choose another name with --name"


class State:
    """What `kith new` has done for the study `name`, whose file it may write.

    content: "asked" (what was asked for), "proposal", "text" of the study's file and its "sha256", "before" (that of
    the file in whose place it comes), "chosen" (whether it has the methods that won), "seconds" (of the search).
    """

    def __init__(self, name: str):
        self.folder = Path("data", name, "new")
        self.study, self._path = STUDIES / f"{name}.yaml", self.folder / "state.json"
        self.content: dict[str, Any] = files.read_json(self._path, "delete it") if self._path.exists() else {}

    def is_of(self, asked: dict[str, Any]) -> bool:
        """Whether the same was asked for before, and the study's file is as it was left.

        Raises KithError where that file is another's, or was changed since.
        """
        if not self.study.exists():
            return False
        if "sha256" not in self.content:
            raise KithError(f"{self.study}: is there already, and not written by `kith new`; {CHECKED}")
        self._check_own()
        if self._digest() != self.content["sha256"]:  # it was ended between the two files
            files.write_text(self.study, self.content["text"])
        if self.content["asked"] == asked:
            return True
        if self.content["asked"]["path"] != asked["path"]:
            raise KithError(f"{self.study}: is of {self.content['asked']['path']}, not of {asked['path']}; {CHECKED}")
        return False

    def _digest(self) -> str | None:
        return hashlib.sha256(self.study.read_bytes()).hexdigest() if self.study.exists() else None

    def _check_own(self) -> None:
        """Raise KithError where somebody has changed the study's file."""
        if self._digest() not in (self.content["sha256"], self.content.get("before")):
            raise KithError(
                f"{self.study}: was changed since `kith new` wrote it, and is yours now: `kith study "
                f"{self.study.stem}` and `snakemake --cores 2` run it; or {CHECKED}"
            )

    @property
    def tables(self) -> list[str]:
        """The table that was made for the study, if one was."""
        return [self.content["proposal"]["sections"]["fetch"]["path"]] if "proposal" in self.content else []

    def begin(self, asked: dict[str, Any]) -> None:
        """A new start: nothing of what was asked for before counts."""
        self.content = {"asked": asked, "chosen": False}
        (self.folder / "trials.json").unlink(missing_ok=True)
        shutil.rmtree(self.folder / "trials", ignore_errors=True)

    def write_study(self, text: str, **known: Any) -> None:
        """Note what is known, and write the study's file; what was ended in between is found to be so, and done.

        Raises KithError where somebody has changed the file meanwhile.
        """
        if "sha256" in self.content:
            self._check_own()
        known |= {"text": text, "sha256": hashlib.sha256(text.encode()).hexdigest(), "before": self._digest()}
        self.content |= known
        self.save()
        files.write_text(self.study, text)

    def note(self, **known: Any) -> None:
        self.content |= known
        self.save()

    def save(self) -> None:
        files.write_json(self._path, self.content)


class TrialBook:
    """The finished trials of a search, in a file; those of other data or candidates (fingerprint) count for nothing."""

    def __init__(self, path: Path, fingerprint: str):
        self.path, self.fingerprint = path, fingerprint
        found = files.read_json(path, "delete it") if path.exists() else {}
        known = found.get("trials", []) if found.get("fingerprint") == fingerprint else []
        self.trials = [Trial(**each) for each in known]

    def find(self, candidate: str, epochs: int) -> Trial | None:
        return next((each for each in self.trials if (each.candidate, each.epochs) == (candidate, epochs)), None)

    def add(self, trial: Trial) -> None:
        self.trials.append(trial)
        files.write_json(
            self.path, {"fingerprint": self.fingerprint, "trials": [each._asdict() for each in self.trials]}
        )


def digest(values: Any) -> str:
    """SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
