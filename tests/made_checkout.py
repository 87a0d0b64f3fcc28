"""A checkout of the repository as it is now, with a small study of real stages in place of the default one."""

import subprocess
from contextlib import chdir
from pathlib import Path
from typing import Any

from tests.conftest import PARAMS, write_table
from tests.made_params import write_params

ROOT = Path(__file__).resolve().parents[1]


def clone(folder: Path, params: dict[str, Any] = PARAMS) -> Path:
    """The repository's files as they are now, the ignored ones aside, as a repository of its own: with the study
    `params` of a small table, and without results."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, target = ROOT / name, folder / name
        if name == "dvc.lock" or (name.startswith("reports/") and name != "reports/.gitignore"):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(source.readlink())
        elif source.is_file():
            target.write_bytes(source.read_bytes())
    write_table(folder / "shapes.parquet")
    with chdir(folder):
        write_params(params)
    for command in (["init"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "all"]):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    return folder
