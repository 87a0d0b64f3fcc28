"""How a fault ended: what a plain rerun came to, and in which words."""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

from benchmarks.faults.checkout import Checkout, Ended, Job, digest, remove

SAME = "same hashes"  # a plain rerun ended with those of an unbroken run
TOLD = "told what to do"  # one sentence said it, and once that was done, so did a plain rerun
HAND = "needed a hand"  # neither
OTHER = "other hashes"  # a run ended well, and what it left is not what an unbroken run leaves
# Of what an engine prints, the lines that are no sentence about what is wrong.
EMPTY = re.compile(
    r"failed to reproduce '[^']*': failed to run|Error in rule|CalledProcessError|At least one job did not", re.I
)
SENTENCE = re.compile(r"(?:^|\s)((?:error|ERROR|[A-Z]\w*(?:Error|Exception))(?: in [^:]*)?: .+)$", re.M)
# DVC's list of busy files, where DVC is killed while it writes it: docs/troubleshooting.md has what to do.
LISTED = re.compile(r"Unable to read RWLock-file '([^']+)'[^\n]*")
# A lock that is no YAML, which DVC reads before anything of Kith runs: the page has that too.
UNREADABLE = re.compile(r"'[./]*dvc\.lock' is invalid\.")
TRACEBACK = "Traceback (most recent call last)"


@dataclass
class Row:
    """One line of the record."""

    number: int
    kind: str  # kill, file, machine, tracking, two
    fault: str
    engine: str
    place: str  # the stage, or the kind of file
    moment: str = ""
    kills: int = 0  # how many there were, before a plain rerun was made
    ended: str = ""
    sentence: str = ""
    besides: str = ""
    again: str = ""  # what the rerun ran
    seconds: float = 0.0
    day: str = field(default_factory=lambda: date.today().isoformat())

    def values(self) -> dict[str, object]:
        return asdict(self)


def ran(said: str, jobs: list[Job]) -> list[str]:
    """The jobs that a run has begun, by DVC's names: both engines print a command before they run it.

    >>> ran("> python -m stages.text --out data/text", [Job("text", ["-m", "stages.text", "--out", "data/text"], [])])
    ['text']
    """
    return [job.target for job in jobs if re.search(rf"{re.escape(' '.join(job.words))}(?=[\s;]|$)", said)]


def sentence(said: str) -> str:
    """The sentence that says what is wrong; empty where there is none, or only a traceback.

    >>> sentence("ERROR: failed to reproduce 'text': x\\nerror: a.npy: cannot be read (it is empty); train again")
    'error: a.npy: cannot be read (it is empty); train again'
    """
    lines = [line for line in SENTENCE.findall(said) if not EMPTY.search(line)]
    own = [line for line in lines if line.startswith("error: ")]
    if own:
        return own[0].strip()
    return "" if TRACEBACK in said or not lines else lines[0].strip()


def differing(checkout: Checkout, wanted: dict[str, str]) -> list[str]:
    """The outputs that are missing or other than those of an unbroken run."""
    found = checkout.hashes()
    return [out for out in wanted if found.get(out) != wanted[out]]


def halves(checkout: Checkout, wanted: dict[str, str]) -> list[str]:
    """The outputs that are there under their names, and are not whole."""
    there = {out: checkout.folder / out for out in wanted}
    return [out for out, path in there.items() if path.exists() and digest(path) != wanted[out]]


def told(rerun: Ended, checkout: Checkout) -> tuple[str, bool]:
    """The sentence of a run that has failed, without folders of this machine; whether it is DVC's about a file of its
    own that was damaged: what docs/troubleshooting.md says of it is done."""
    said = sentence(rerun.said)
    if unread := UNREADABLE.search(rerun.said):
        checkout.command("stages.cli", "adopt")
        return f"{unread[0]} (and docs/troubleshooting.md: `kith adopt`)", True
    if cut := LISTED.search(rerun.said):
        remove(checkout.folder / cut[1])
        said = f"{cut[0]} (and docs/troubleshooting.md: `rm {cut[1]}`)"
    return said.replace(f"{checkout.folder}/", "").replace(str(checkout.folder), "the checkout"), cut is not None


def judge(
    row: Row, checkout: Checkout, wanted: dict[str, str], cure: Callable[[], None] | None = None, **environment: str
) -> Ended:
    """Run it again as it is, and write down what came of it; `cure` does what the sentence has said to do."""
    rerun = checkout.run(**environment)
    row.again = " ".join(ran(rerun.said, checkout.jobs()))
    wrong = differing(checkout, wanted)
    if rerun.status == 0:
        row.ended = OTHER if wrong else SAME
        row.besides = "; ".join(filter(None, [row.besides, f"differ: {' '.join(wrong)}" if wrong else ""]))
        if cure is not None:
            cure()
        return rerun
    row.sentence, cut = told(rerun, checkout)
    if cure is not None:
        cure()
    cured = checkout.run(**environment)
    wrong = differing(checkout, wanted)
    if cured.status == 0 and not wrong:
        row.ended = TOLD if row.sentence else HAND
        if cure is None and not cut:  # a second rerun was enough
            row.besides = "; ".join(filter(None, [row.besides, "at the second rerun"]))
    else:
        row.ended = HAND if cured.status else OTHER
        Path(f"{checkout.folder}.{row.kind}-{row.number}.log").write_text(rerun.said + cured.said, encoding="utf-8")
        row.besides = "; ".join(filter(None, [row.besides, sentence(cured.said), f"differ: {' '.join(wrong)}"]))
    return rerun
