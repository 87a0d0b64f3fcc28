"""What one engine has left is not taken by the other for what it is not: every way to change outputs, and back."""

import shutil
from pathlib import Path

import pytest

from tests.miniature import ALL, Repository, copy

pytestmark = pytest.mark.slow
AGAIN = ["train@a-0", "train@b-0", "compare", "draw"]


@pytest.fixture(scope="module")
def tried(by_snakemake, tmp_path_factory) -> Repository:
    """Snakemake's results of one epoch, and an experiment of three that is not applied."""
    repository = copy(by_snakemake, tmp_path_factory.mktemp("tried"))
    run = repository.dvc("exp", "run", "--name", "three", "--set-param", "train.epochs=3")
    assert (run, repository.epochs()) == (AGAIN, [3, 3])
    return repository


def leave_experiment(repository: Repository) -> None:
    """Back to the outputs of one epoch, as DVC gives them back, known to Snakemake."""
    repository.run("git", "checkout", "--quiet", "--", ".")
    repository.dvc("checkout")
    repository.python("stages.cli", "adopt")
    assert repository.epochs() == [1, 1]


def exp_run(repository: Repository) -> None:
    """Nothing more: its results lie there."""


def apply(repository: Repository) -> None:
    leave_experiment(repository)
    repository.dvc("exp", "apply", "three")


def checkout(repository: Repository) -> None:
    """The lock of the experiment from elsewhere, and its outputs."""
    lock = (repository.path / "dvc.lock").read_bytes()
    leave_experiment(repository)
    (repository.path / "dvc.lock").write_bytes(lock)
    repository.dvc("checkout", "runs/mini/a-0/model.txt", "runs/mini/b-0/model.txt")


def pull(repository: Repository) -> None:
    """As checkout, with an empty cache and workspace."""
    repository.dvc("remote", "add", "--default", "store", str(repository.path.parent / "store"))
    repository.dvc("push", "--quiet")
    shutil.rmtree(repository.path / ".dvc/cache")
    shutil.rmtree(repository.path / "runs")
    repository.dvc("pull", "--quiet")


def repro(repository: Repository) -> None:
    leave_experiment(repository)
    repository.edit("train", epochs=3)
    assert not {"train@a-0", "train@b-0"} & set(repository.dvc("repro"))  # from DVC's cache of runs
    assert repository.dvc("repro") == []
    repository.edit("train", epochs=4)
    assert repository.dvc("repro") == AGAIN


def commit(repository: Repository) -> None:
    """Outputs of somebody's own, taken into DVC."""
    leave_experiment(repository)
    for name in ("a", "b"):
        model = repository.path / f"runs/mini/{name}-0/model.txt"
        model.write_text(model.read_text().replace('"epochs": 1', '"epochs": 9'))
    repository.dvc("commit", "--force", "train")


@pytest.mark.parametrize("change", [exp_run, apply, checkout, pull, repro, commit], ids=lambda change: change.__name__)
def test_snakemake_makes_again_what_was_changed_behind_its_back(tried, tmp_path, change):
    repository = copy(tried, tmp_path)
    change(repository)
    assert repository.epochs()[0] > 1
    repository.edit("train", epochs=1)
    assert "kith adopt" in repository.planned()
    assert repository.snakemake()[:2] == AGAIN[:2]
    assert repository.epochs() == [1, 1]
    assert repository.snakemake() == repository.dvc("repro") == []


def test_dvc_makes_again_what_snakemake_has_made_of_other_parameters(by_dvc, tmp_path):
    repository = copy(by_dvc, tmp_path)
    repository.edit("train", epochs=3)
    repository.snakemake()
    repository.edit("train", epochs=1)
    repository.dvc("repro")
    assert repository.epochs() == [1, 1]
    (repository.path / "runs/mini/a-0/model.txt").write_text("anything")
    repository.dvc("repro")
    assert repository.epochs() == [1, 1]


def test_what_dvc_made_is_adopted_or_made_again(by_dvc, tmp_path):
    """Of a repository in which Snakemake has never run."""
    repository = copy(by_dvc, tmp_path)
    adopted = copy(repository, tmp_path / "adopted")
    adopted.python("stages.cli", "adopt")
    assert adopted.snakemake() == []
    assert repository.snakemake() == ALL


def test_a_file_put_into_a_folder_is_seen(by_snakemake, tmp_path):
    """A folder's own time stamp stays as Snakemake set it when DVC checks out other files into it."""
    repository = copy(by_snakemake, tmp_path)
    part = Path(repository.path / "data/mini/prepared/part.txt")
    part.write_text(part.read_text().replace("3", "5"))
    assert repository.snakemake()[0] == "prepare"
    assert '"rows": 3' in part.read_text()
