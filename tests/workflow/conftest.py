"""The miniature repository, run by either engine, once a process for all test files."""

import pytest

from tests.miniature import ALL, Repository, build


@pytest.fixture(scope="session")
def origin(tmp_path_factory) -> Repository:
    return build(tmp_path_factory.mktemp("engines") / "origin")


@pytest.fixture(scope="session")
def by_dvc(origin) -> Repository:
    """Run by DVC, nothing else."""
    repository = origin.clone("by_dvc")
    assert repository.dvc("repro") == ALL
    repository.commit()
    return repository


@pytest.fixture(scope="session")
def by_snakemake(origin) -> Repository:
    """Run by Snakemake, nothing else."""
    repository = origin.clone("by_snakemake")
    assert repository.snakemake() == ALL
    repository.commit()
    return repository
