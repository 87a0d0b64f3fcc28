import io
import os
import shutil
import sys
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

from tests.made import COLOURS, SHAPES, picture
from tests.made_notes import seal
from tests.made_params import write_params

# The same examples in every run, and no verdict that depends on how busy the machine is.
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

PARAMS = {
    "study": {"name": "shapes", "methods": ["infonce", "neighborhood"], "seeds": [0]},
    "fetch": {
        "source": "table",
        "path": "shapes.parquet",
        "columns": {"id": "id", "image": "image", "texts": ["texts"], "label": "shape", "split": "split"},
    },
    "prepare": {"image": {"size": 16}},
    "text": {"tokens": {"min_length": 1}, "doc2vec": {"dim": 12, "epochs": 5}},
    "neighbors": {"k": 10},
    "taxonomy": {},
    "class_embedding": {},
    "train": {
        "epochs": 4,
        "batch_size": 48,
        "dim": 16,
        "image": {"tower": "cnn", "width": 8},
        "text": {"tower": "gru", "embedding": 12, "hidden": 16},
        "lr": 0.005,
        "threads": 1,
    },
    "methods": {"infonce": {}, "neighborhood": {}},
    "embed": {"batch_size": 64},
    "evaluate": {"nway": [5], "bootstrap": 200},
    "compare": {"permutations": 500},
    "report": {"queries": 4, "tsne": 60},
    "expect": {},
}


def write_table(path: Path) -> None:
    """Coloured shapes as PNG bytes with two texts each, in three splits."""
    random = np.random.default_rng(0)
    rows = []
    for copy in range(10):
        for colour in COLOURS:
            for shape in SHAPES:
                buffer = io.BytesIO()
                Image.fromarray(picture(colour, shape, random)).save(buffer, "PNG")
                split = {8: "val", 9: "test"}.get(copy, "train")
                texts = [f"A {colour} {shape}.", f"The {shape} is {colour}."]
                rows.append((f"{colour}-{shape}-{copy}", buffer.getvalue(), texts, shape, split))
    pd.DataFrame(rows, columns=["id", "image", "texts", "shape", "split"]).to_parquet(path)


def pytest_collection_modifyitems(items):
    """Of several processes none is to begin with what takes minutes when the others are done."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def prepared_study(tmp_path_factory) -> Path:
    """A folder in which fetch, prepare, text and neighbors of a small table have run."""
    import mlflow

    from stages import class_embedding, fetch, neighbors, prepare, taxonomy, text

    folder = tmp_path_factory.mktemp("study")
    write_table(folder / "shapes.parquet")
    write_params(PARAMS, folder)
    # One migrated, empty database for all tests: making it takes seconds.
    mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").search_experiments()
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr("stages.tracking.runs.available", lambda: False)
        fetch.main(out=Path("data/shapes/raw"))
        prepare.main(raw=Path("data/shapes/raw"), out=Path("data/shapes/prepared"))
        text.main(data=Path("data/shapes/prepared"), out=Path("data/shapes/text"))
        neighbors.main(
            data=Path("data/shapes/prepared"), text=Path("data/shapes/text"), out=Path("data/shapes/neighbors")
        )
        taxonomy.main(data=Path("data/shapes/prepared"), out=Path("data/shapes/taxonomy"))
        class_embedding.main(
            taxonomy=Path("data/shapes/taxonomy"),
            text=Path("data/shapes/text"),
            out=Path("data/shapes/class_embedding"),
        )
    return folder


@pytest.fixture
def study(prepared_study, tmp_path, monkeypatch) -> Path:
    """A copy of the prepared study, as the current directory."""
    monkeypatch.chdir(shutil.copytree(prepared_study, tmp_path / "study"))
    return tmp_path / "study"


@pytest.fixture
def trained(trained_study, tmp_path, monkeypatch) -> Path:
    """A copy of the trained study, as the current directory."""
    monkeypatch.chdir(shutil.copytree(trained_study, tmp_path / "study"))
    return tmp_path / "study"


@pytest.fixture(autouse=True)
def _own_tracking(monkeypatch):
    """No test writes to a tracking server that the developer has set, or believes itself inside DVC."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "DVC_ROOT", "DVC_STAGE", "DVC_EXP_NAME", "KITH_ENGINE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def trained_study(prepared_study, tmp_path_factory) -> Path:
    """A copy of the prepared study with a taxonomy of readable names, trained, embedded and evaluated: pictures and
    texts (infonce), and classes with classifier and class embeddings (hierarchy_ce)."""
    from stages import class_embedding, taxonomy
    from tests.stages.tracking.test_tracking import run_method

    folder = tmp_path_factory.mktemp("trained") / "study"
    shutil.copytree(prepared_study, folder)
    params = PARAMS | {"methods": PARAMS["methods"] | {"hierarchy_ce": {}}}
    write_params(params, folder)
    edges = [("shape", "line"), ("shape", "box")]
    edges += [("line" if shape in ("bar", "column", "cross") else "box", shape) for shape in SHAPES]
    table = pd.DataFrame(edges, columns=["parent", "child"])
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr("stages.tracking.runs.available", lambda: False)
        table.assign(name=table["child"].str.title()).to_parquet("data/shapes/prepared/taxonomy.parquet", index=False)
        seal(folder, "shapes")
        taxonomy.main(data=Path("data/shapes/prepared"), out=Path("data/shapes/taxonomy"))
        class_embedding.main(
            taxonomy=Path("data/shapes/taxonomy"),
            text=Path("data/shapes/text"),
            out=Path("data/shapes/class_embedding"),
        )
        for method in ("infonce", "hierarchy_ce"):
            run_method(method)
    return folder


@pytest.fixture(autouse=True)
def _denormal_numbers():
    """A training makes the processor flush them to zero, which hypothesis would refuse to draw floats under."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)
