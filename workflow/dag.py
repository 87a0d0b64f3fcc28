"""dvc.yaml and params.yaml as Snakemake needs them: one rule a stage, `${item.x}` as the wildcard `{x}`.

Everything is looked up for one item at a time, as DVC does it. An item is a mapping such as {"method": "infonce",
"seed": "0"}: a combination of a stage's matrix, or a value of the mapping that its `foreach` names; empty for a stage
with neither.
"""

import itertools
import re
from pathlib import Path, PurePosixPath
from typing import Any

from kith.errors import KithError
from workflow import yamls

REFERENCE = re.compile(r"\$\{([^}]*)\}")
PLAIN = re.compile(r"[\w./,+=@:-]+")  # what a shell takes as it stands
KNOWN = {"desc", "cmd", "matrix", "deps", "params", "outs", "meta"}
EACH = {"foreach", "do"}

Item = dict[str, str]


class Stage:
    """One stage of dvc.yaml, one rule of Snakemake. Its texts keep their `${…}` until an item fills them.

    Raises KithError for what DVC understands and this does not (vars, wdir, …).
    """

    def __init__(self, name: str, body: dict[str, Any], values: dict[str, Any]):
        self.name, self.values = name, values
        every = None
        if body.keys() == EACH:
            every, body = self._value(body["foreach"]), body["do"]
        if unknown := body.keys() - KNOWN:
            raise self._error(f"{', '.join(sorted(unknown))}: not known to workflow/dag.py")
        cmds = body["cmd"] if isinstance(body["cmd"], list) else [body["cmd"]]
        self.desc: str = body.get("desc", name)
        self.deps: list[str] = body.get("deps", [])
        self.params: list[str] = body.get("params", [])
        self.outs = [out if isinstance(out, str) else next(iter(out)) for out in body.get("outs", [])]
        self.meta: dict[str, Any] = {name: self._value(given) for name, given in body.get("meta", {}).items()}
        for text in [*cmds, *self.deps, *self.params, *self.outs]:
            if not isinstance(text, str):
                raise self._error(f"{text!r}: workflow/dag.py expects a plain text")
        self.cmd = " && ".join(cmds)  # as DVC: the next one only if the last has not failed
        self._items = self._combinations(body.get("matrix", {})) if every is None else self._each(every)

    def items(self) -> list[Item]:
        """Every item in DVC's order."""
        return list(self._items.values())

    def item(self, wildcards: Item) -> Item:
        """The item that has these values of its wildcards."""
        return next(item for item in self.items() if wildcards.items() <= item.items())

    def wildcards(self) -> Item:
        """The item that stands for all: each key that is in an output with its own wildcard, {"seed": "{seed}", …}."""
        keys = {match for out in self.outs for match in re.findall(r"\$\{item\.(\w+)\}", out)}
        return {key: f"{{{key}}}" for item in self.items()[:1] for key in item if key in keys}

    def constraints(self) -> Item:
        """Which values each wildcard takes, as a regular expression."""
        return {key: "|".join(dict.fromkeys(re.escape(item[key]) for item in self.items())) for key in self.wildcards()}

    def target(self, item: Item) -> str:
        """DVC's name for one item, such as train@infonce-0."""
        return f"{self.name}@{next(key for key, each in self._items.items() if each == item)}" if item else self.name

    def log(self) -> str:
        """logs/<study>/train/{method}-{seed}.log; logs/<study>/fetch.log without items."""
        parts = ["logs", self.fill("${study.name}", {}), self.name, "-".join(self.wildcards().values())]
        return f"{'/'.join(filter(None, parts))}.log"

    def fill(self, text: str, item: Item) -> str:
        """Replace each `${…}` by its value. Raises KithError for one that has none."""
        return REFERENCE.sub(lambda match: self._scalar(self._look_up(match[1], item)), text)

    def command(self, item: Item) -> str:
        """What a shell is given. Raises KithError as `Dag.commands` does."""
        for key in REFERENCE.findall(self.cmd):
            value = self._scalar(self._look_up(key, item))
            if not PLAIN.fullmatch(value):
                raise self._error(f"{key} is {value!r}: in a command, letters, digits and ._,/+=@:- alone are allowed")
        return self.fill(self.cmd, item)

    def fill_all(self, texts: list[str], item: Item) -> list[str]:
        return [self.fill(text, item) for text in texts]

    def read_params(self, item: Item) -> dict[str, Any]:
        """The values that the stage reads, by name: a changed one makes it run again."""
        return {name: self._look_up(name, item) for name in self.fill_all(self.params, item)}

    def _combinations(self, matrix: dict[str, Any]) -> dict[str, Item]:
        """DVC's name of each combination, and its values; one without a name where there is no matrix."""
        choices = {
            key: [self.fill(self._scalar(each), {}) for each in self._value(given)] for key, given in matrix.items()
        }
        combinations = itertools.product(*choices.values())
        return {"-".join(values): dict(zip(choices, values, strict=True)) for values in combinations}

    def _each(self, every: Any) -> dict[str, Item]:
        if not isinstance(every, dict) or not all(isinstance(item, dict) for item in every.values()):
            raise self._error("foreach: workflow/dag.py expects a mapping of mappings")
        return {name: {key: self._scalar(value) for key, value in item.items()} for name, item in every.items()}

    def _value(self, given: Any) -> Any:
        """What stands in dvc.yaml, or in params.yaml if it is one `${…}`."""
        reference = isinstance(given, str) and REFERENCE.fullmatch(given)
        return self._look_up(reference[1], {}) if reference else given

    def _look_up(self, key: str, item: Item) -> Any:
        value: Any = self.values | {"item": item}
        for part in key.split("."):
            if not isinstance(value, dict) or part not in value:
                place = "the stage's matrix" if key.startswith("item.") else "params.yaml"
                raise self._error(f"it reads '{key}', which {place} does not have")
            value = value[part]
        return value

    def _scalar(self, value: Any) -> str:
        """A single value as DVC writes it into a text."""
        if not isinstance(value, str | int | float):
            raise self._error(f"cannot write {value!r} into a text: expected one text or number")
        return str(value).lower() if isinstance(value, bool) else str(value)

    def _error(self, problem: str) -> KithError:
        return KithError(f"dvc.yaml: stage {self.name}: {problem}")


class Dag:
    """All stages in the order of dvc.yaml, and what they write."""

    def __init__(self, definition: Path = Path("dvc.yaml"), params: Path = Path("params.yaml")):
        self.texts = [yamls.text_of(path) for path in (definition, params)]
        stages, values = (
            yamls.read(text, path.name) for text, path in zip(self.texts, (definition, params), strict=True)
        )
        every = [Stage(name, body, values) for name, body in stages["stages"].items()]
        self.stages = [stage for stage in every if stage.items()]
        self.study: str = values.get("study", {}).get("name", "")
        self.outs = [out for stage, item in self.items() for out in stage.fill_all(stage.outs, item)]

    def items(self) -> list[tuple[Stage, Item]]:
        """Every stage with each of its items."""
        return [(stage, item) for stage in self.stages for item in stage.items()]

    def commands(self) -> list[str]:
        """What a shell is given. Raises KithError for a value of params.yaml that would be more to it than a name."""
        return [stage.command(item) for stage, item in self.items()]

    def inputs(self, stage: Stage, item: Item) -> list[str]:
        """What Snakemake waits for before it runs an item: whole outputs, and source files; not what is in folders of
        data."""
        folders = set(self.folders(stage, item))
        deps = (dep for dep in stage.fill_all(stage.deps, item) if dep not in folders)
        return [path for dep in deps for path in self._resolve(dep)]

    def folders(self, stage: Stage, item: Item) -> list[str]:
        """The folders of data that an item reads: those that params.yaml names, and no stage writes. They may hold a
        million files, which are too many for Snakemake."""
        named = dict.fromkeys(stage.fill(dep, item) for dep in stage.deps if REFERENCE.search(dep))
        return [dep for dep in named if Path(dep).is_dir() and not self._made(dep)]

    def _made(self, dep: str) -> bool:
        return any(_inside(dep, out) or _inside(out, dep) for out in self.outs)

    def _resolve(self, dep: str) -> list[str]:
        """A dependency is an output or lies in one, or it is a directory with outputs in it, or a source."""
        holding = [out for out in self.outs if _inside(dep, out)]
        return holding or [out for out in self.outs if _inside(out, dep)] or _sources(Path(dep))


def is_directory(out: str) -> bool:
    """dvc.yaml does not say which outputs are directories; here, those without a suffix are."""
    return not PurePosixPath(out).suffix


def _inside(path: str, directory: str) -> bool:
    return f"{path}/".startswith(f"{directory.rstrip('/')}/")


def _sources(path: Path) -> list[str]:
    """The files of a source: Snakemake does not look into directories by itself."""
    if not path.is_dir():
        return [str(path)]
    files = (file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return sorted(map(str, files))
