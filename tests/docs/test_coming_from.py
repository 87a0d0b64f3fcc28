"""docs/coming-from.md: every Kith name in its tables exists, and every name that the references tell is in them."""

import re
from collections.abc import Callable, Collection, Iterator
from functools import cache
from importlib import import_module
from typing import Annotated, Any, NamedTuple, get_args

import pytest
import torch
import yaml
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from kith.data.sources import SOURCES
from kith.encoders import registry
from kith.errors import KithError
from kith.evaluation.describe import describe
from kith.losses import LOSSES
from kith.models.image import PUBLISHED, image_tower
from stages import cli, params
from stages.params.method import Method
from stages.params.schema import Params
from tests.documentation import ROOT

PAGE = "docs/coming-from.md"
TEXT = (ROOT / PAGE).read_text(encoding="utf-8")
REFERENCES = ROOT.parent / "shared" / "references"
DAG = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
CODE = re.compile(r"`([^`]+)`")


class Row(NamedTuple):
    reference: str
    theirs: str
    ours: str
    differs: str


def rows() -> list[Row]:
    """Of all tables, without their heads."""
    found, reference = [], ""
    for line in TEXT.splitlines():
        if line.startswith("## "):
            reference = line.removeprefix("## ")
        if line.startswith("| ") and line.split("|")[2].strip() != "Kith":
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            assert len(cells) == 3, line
            if cells[0].strip("*") == cells[0] or cells[1:] != ["", ""]:  # else a heading within the table
                found.append(Row(reference, *cells))
    return found


def named(cell: str) -> Iterator[tuple[str, str]]:
    """(kind, name) of the code in a cell: the kind is the word before it, or before the list that it stands in."""
    kind, end = "", 0
    for code in CODE.finditer(cell):
        between, end = cell[end : code.start()], code.end()
        word = re.search(r"(\w+) $", between)
        if word and (single := singular(word[1])) in KINDS:
            kind = single
        elif between not in (", ", " and ", " or "):
            kind = ""
        yield kind, code[1]


def singular(word: str) -> str:
    word = word.lower()
    return {"studies": "study", "losses": "loss", "loss": "loss"}.get(word, word.removesuffix("s"))


def check(kind: str, name: str) -> None:
    """Fails where Kith has no such thing."""
    if kind:
        KINDS[kind](name)
    elif name.startswith("kith "):
        command(name)
    elif name.startswith("kith."):
        python_name(name)
    elif name.startswith(("data/", "runs/", "reports/")):
        assert name.replace("<study>", "${study.name}").rstrip("/") in DAG, name
    else:
        parameter(name)


def command(line: str) -> None:
    _, name, *words = line.split()
    options = {opt for each in cli.command(import_module(cli.COMMANDS[name]).main).params for opt in each.opts}
    assert {word for word in words if word.startswith("-")} <= options, line


def python_name(name: str) -> None:
    module, found = name, []
    while not (ROOT / f"{module.replace('.', '/')}.py").exists() and not (ROOT / module.replace(".", "/")).is_dir():
        module, _, last = module.rpartition(".")
        found.insert(0, last)
    value = import_module(module)
    for each in found:
        value = getattr(value, each)


def parameter(told: str) -> None:
    """A key of params.yaml or of a method in it, and maybe a value that it may have."""
    key, given, value = told.partition(": ")
    found = [field for root in (Params, Method) if (field := field_of(root, key.split("."))) is not None]
    assert found, f"{told}: no such key"
    if given:
        kind = Annotated[(found[0].annotation, *found[0].metadata)] if found[0].metadata else found[0].annotation
        TypeAdapter(kind).validate_python(yaml.safe_load(value))


def field_of(section: Any, path: list[str]) -> FieldInfo | None:
    """The field at the end of a path of keys, or None where there is none."""
    for name in path:
        if name not in getattr(section, "model_fields", {}):
            return None
        field = section.model_fields[name]
        section = next((kind for kind in (field.annotation, *get_args(field.annotation)) if is_section(kind)), None)
    return field


def is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, params.Section)


def among(names: Callable[[], Any]) -> Callable[[str], None]:
    def look(name: str) -> None:
        assert name in names(), name

    return look


@cache
def stages() -> set[str]:
    return set(yaml.safe_load(DAG)["stages"])


@cache
def written() -> set[str]:
    """Names of files that stages write or read, as they or the sources of data name them, and of the figures."""
    code = [DAG, *(path.read_text(encoding="utf-8") for path in (ROOT / "stages").glob("*.py"))]
    code += [path.read_text(encoding="utf-8") for path in (ROOT / "kith/data/sources").glob("*.py")]
    names = set(re.findall(r"[\w-]+\.(?:json|parquet|npy|npz|pickle|pt|csv|md|html)\b", "\n".join(code)))
    names |= {name.replace("np?", "npy") for name in re.findall(r"\w+\.np\?", "\n".join(code))}
    return names | {f"{name}.png" for name in yaml.safe_load((ROOT / "workflow/report/figures.yaml").read_text())}


def tower(name: str) -> None:
    if not re.search("[-:]", name):
        assert name in get_args(params.TextTower.model_fields["tower"].annotation) or params.ImageTower(tower=name)
        return
    pattern = next((each for each in PUBLISHED if re.fullmatch(each, name)), "")
    assert pattern, name
    if pattern.startswith(r"resnet-(\d"):  # of these, not every number is a network
        with torch.device("meta"):
            image_tower(name, 3, 32)


@cache
def arrays() -> set[str]:
    return set(re.findall(r"\w+", (ROOT / "kith/data/sources/dorfer.py").read_text(encoding="utf-8")))


KINDS: dict[str, Callable[[str], Any]] = {
    "study": among(lambda: {path.stem for path in (ROOT / "studies").glob("*.yaml")}),
    "preset": among(params.presets),
    "loss": among(lambda: LOSSES),
    "source": among(lambda: SOURCES),
    "stage": among(stages),
    "file": among(written),
    "array": among(arrays),
    "tower": tower,
    "encoder": registry.find,
    "metric": describe,
}


def faults(cell: str, but: Collection[str] = ()) -> list[str]:
    """What a cell names that Kith does not have; `but`: names that are of the other program."""
    found = []
    for kind, name in named(cell):
        try:
            if name not in but:
                check(kind, name)
        except (AssertionError, AttributeError, KeyError, ValueError, KithError) as fault:
            found.append(f"{kind} `{name}`: {fault}")
    return found


def test_every_name_of_kith_is_there():
    wrong = {}
    for row in rows():
        theirs = {code for each in rows() if each.reference == row.reference for code in CODE.findall(each.theirs)}
        wrong[row.theirs] = faults(row.ours) + faults(row.differs, but=theirs)
    assert not {theirs: found for theirs, found in wrong.items() if found}


def test_every_row_says_what_to_take():
    assert len({row.reference for row in rows()}) == 4
    assert all(row.ours for row in rows())
    assert [row.theirs for row in rows() if "Not in Kith" in row.ours and not re.search("[Tt]ake ", row.ours)] == []


@pytest.mark.parametrize(
    "cell",
    [
        "the preset `info_nce`",
        "presets `infonce`, `info_nce`",
        "studies `glyphs` and `iapr`",
        "the loss `infonce`",
        "the source `cifar`",
        "the stage `evaluation`",
        "the file `history.csv`",
        "the tower `resnet-164`",
        "the tower `simple`",
        "the encoder `vgg16`",
        "the metric `image_to_text/R1`",
        "`train.dimension`",
        "`train.dim: many`",
        "`train.schedule: cycles`",
        "`losses.pairwise_hinge.gamma`",
        "`losses.triplet.mining: semihard`",
        "`kith.cca.CCALayers`",
        "`kith plot --key mrr`",
        "`kith evolution --keys mrr`",
        "`reports/<study>/plots/`",
    ],
)
def test_a_name_that_is_not_there_is_noticed(cell):
    assert len(faults(cell)) == 1


TOLD = {
    "cca_layer": ("cca_layer-*.txt", r"--\w+|\w+\.py\b|^\b[A-Z_]{2,}\d?\b(?= =)|\br[12T]\b(?= =)|models/\w+"),
    "semantic-embeddings": ("semantic-embeddings.txt", r"(?<!-)--[a-z_]+|\w+\.py\b|[\w-]+/[\w.-]+\.(?:txt|pickle)"),
    "DeepHash with triplets": ("deephash-triplets.txt", r"\b[A-Z]\w+(?:Selector|Net|Loss|Sampler|MNIST|Cifar)\b"),
    "semantic_neighborhoods": ("semantic-neighborhoods.txt", r"\w+\.(?:py|pickle)\b"),
}


@pytest.mark.parametrize("reference", TOLD)
def test_every_name_of_the_references_is_in_the_tables(reference):
    files, pattern = TOLD[reference]
    if not REFERENCES.is_dir():
        pytest.skip("without the references")
    told = "\n".join(path.read_text(encoding="utf-8") for path in sorted(REFERENCES.glob(files)))
    if reference == "semantic-embeddings":
        told = told.split("2. How to learn semantic embeddings?", 2)[-1]
    names = set(re.findall(pattern, told, re.MULTILINE))
    ours = " ".join(row.theirs for row in rows() if row.reference == reference)
    assert names
    assert not {name for name in names if not re.search(rf"{re.escape(name)}(?!\w)", ours)}


def test_every_data_set_and_network_of_semantic_embeddings_is_in_the_table():
    if not REFERENCES.is_dir():
        pytest.skip("without the references")
    told = (REFERENCES / "semantic-embeddings.txt").read_text(encoding="utf-8")
    lists = told.split("2.4. Supported datasets")[-1].split("2.6. Learning semantic embeddings")[0]
    heads = re.findall(r"^  • ([^:]+)", lists, re.MULTILINE)
    names = {name for head in heads for name in re.split(r", | and | / |:", head) if re.fullmatch(r"[\w-]+", name)}
    assert {"CIFAR-100-a", "-caffe", "iNat2018", "rn200", "wrn-28-10", "iNat2019-large"} <= names
    ours = {code for row in rows() for code in CODE.findall(row.theirs)}
    assert not names - ours
