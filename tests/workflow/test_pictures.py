"""Pictures in files beside a table: both engines see what happens to them, on the project's own DAG."""

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.workflow.test_pipeline import clone
from tests.workflow.test_staleness import planned, python, replace_commands, stale
from workflow import yamls

pytestmark = pytest.mark.slow

STUDY = {
    "study": {"name": "two", "methods": ["infonce"]},
    "fetch": {"source": "table", "path": "shop/goods.csv", "columns": {"id": "id", "texts": ["title"]}},
    "train": {"epochs": 1},
}


@pytest.fixture(scope="module", name="made")
def clone_in_which_all_has_run(tmp_path_factory) -> Path:
    folder = clone(tmp_path_factory.mktemp("pictures") / "clone")
    (folder / "studies/two.yaml").write_text(yamls.write(STUDY))
    rows = []
    for number in range(4):
        name = f"photos/{number % 2}/{{{number}}}.png"
        (folder / "shop" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), number).save(folder / "shop" / name)
        rows.append({"id": number, "image": name, "title": f"text {number}"})
    pd.DataFrame(rows).to_csv(folder / "shop/goods.csv", index=False)
    replace_commands(folder)
    python(folder, "-c", "from stages.study import choose; choose('two', [])")
    python(folder, "-m", "dvc", "repro", "--quiet")
    python(folder, "-m", "stages.cli", "adopt")
    return folder


def rewrite(picture: Path) -> None:
    """Another content of the same size, at the same time."""
    before = picture.stat()
    content = bytearray(picture.read_bytes())
    content[-1] ^= 1
    picture.write_bytes(content)
    os.utime(picture, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000))


CHANGES = {
    "changed": lambda photos: rewrite(photos / "1/{1}.png"),
    "deleted": lambda photos: (photos / "0/{0}.png").unlink(),
    "added": lambda photos: shutil.copy(photos / "0/{0}.png", photos / "1/new.png"),
    "touched": lambda photos: (photos / "0/{0}.png").touch(),
    "nothing": lambda photos: None,
}


@pytest.mark.parametrize("change", CHANGES)
def test_both_engines_see_a_change_of_pictures(made, tmp_path, change):
    folder = tmp_path / "copy"
    shutil.copytree(made, folder, symlinks=True)
    assert "image_root: shop/photos" in (folder / "params.yaml").read_text()
    CHANGES[change](folder / "shop/photos")
    expected = set() if change in ("touched", "nothing") else {"fetch", "prepare"}
    assert stale(folder) == expected
    run = planned(folder)
    assert expected <= run
    assert bool(run) == bool(expected)


def test_snakemake_does_not_list_the_pictures(made):
    told = python(made, "-c", "from workflow.dag import Dag; d = Dag(); print(d.inputs(d.stages[0], {}))")
    assert "shop/goods.csv" in told
    assert ".png" not in told
