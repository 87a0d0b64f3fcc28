"""The miniature repository, run by either engine; each test file has its own."""

import pytest

from tests.miniature import ALL, Repository, build


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> Repository:
    return build(tmp_path_factory.mktemp("engines") / "origin")


@pytest.fixture(scope="module")
def by_dvc(origin) -> Repository:
    """Run by DVC, nothing else."""
    repository = origin.clone("by_dvc")
    assert repository.dvc("repro") == ALL
    repository.commit()
    return repository


@pytest.fixture(scope="module")
def by_snakemake(origin) -> Repository:
    """Run by Snakemake, nothing else."""
    repository = origin.clone("by_snakemake")
    assert repository.snakemake() == ALL
    repository.commit()
    return repository
