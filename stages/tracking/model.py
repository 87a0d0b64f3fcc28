"""How a trained model is logged: loadable by mlflow.pyfunc, with its signature, an example and what it needs."""

import contextlib
import io
import zipfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from kith.data.digests import sha256_of
from stages import files
from stages.tracking.connection import root

PYFUNC = Path(__file__).with_name("pyfunc.py")
LIBRARY = Path(__file__).resolve().parents[2] / "kith"
CODE = "code"  # the folder of the study's run for the library
DISTRIBUTIONS = ("kith-retrieval", "kith")  # names of Kith's own, now and before
NEEDED = ("torch", "numpy", "pandas", "pyarrow", "scipy", "pillow")


def log(run: str, model: Path, code: str, tags: Mapping[str, str]) -> str:
    """Log the model in a run; returns MLflow's id of it. code: where the library is, if kith is not installed there."""
    import mlflow

    from kith.models import load

    loaded, tokenizer, _ = load(model)
    with mlflow.start_run(run_id=run):
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(PYFUNC),
            artifacts={"model": str(model)},
            signature=signature(loaded.config),
            input_example=example(loaded.config, tokenizer),
            pip_requirements=requirements(loaded.config),
            metadata={"kith_version": _version(), "kith_code": code, **tags},
        )
    return info.model_id


def _version() -> str:
    """Of Kith, by the name of its distribution, or the one that it had before."""
    for name in DISTRIBUTIONS:
        with contextlib.suppress(PackageNotFoundError):
            return version(name)
    return "not installed"


def archive() -> Path:
    """The library as a zip, named by its content; made once, for all models of it."""
    sources = [path for path in sorted(LIBRARY.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    path = root() / "mlruns" / ".code" / f"kith-{sha256_of(sources, LIBRARY)[:12]}.zip"
    if not path.exists():
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
            for source in sources:
                zipped.write(source, source.relative_to(LIBRARY.parent))
        files.write_bytes(path, buffer.getvalue())
    return path


def requirements(config: Mapping[str, Any]) -> list[str]:
    """What has to be installed to use a model, also what its encoders come with, in the versions that are here."""
    from kith.encoders.registry import find

    sides = [config[side] for side in ("image", "text") if config[side] is not None]
    names = [side[part]["name"] for side in sides for part in ("encoder", "network") if part in side]
    needed = [package for name in names for package in find(name).requirements(name)]
    return list(dict.fromkeys(_pinned(package) for package in [*NEEDED, *needed]))


def _pinned(package: str) -> str:
    """Without a build's name (+cpu), which the package index does not have."""
    if not package.replace("-", "").replace("_", "").isalnum():
        return package  # says its version already
    try:
        return f"{package}=={version(package).partition('+')[0]}"
    except PackageNotFoundError:
        return package


def signature(config: Mapping[str, Any]) -> Any:
    """A table with a column `text` or `image` (encoded pictures), or of features, in; rows of vectors out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec
    from mlflow.types.schema import Array

    from kith.encoders.frozen import reads_texts
    from kith.inference.raw import is_of_features

    columns: dict[str, Any] = {"text": DataType.string, "image": DataType.binary}
    if config["text"] is None:
        del columns["image" if reads_texts(config["image"].get("encoder", {})) else "text"]
    for name in columns:
        if is_of_features(config[name] or {}):
            columns[name] = DataType.double
            for _ in config[name]["shape"]:
                columns[name] = Array(columns[name])
    several = (config.get("attention") or {}).get("vectors", 1) > 1
    shape = (-1, -1, -1) if several else (-1, -1)
    inputs = Schema([ColSpec(kind, name, required=False) for name, kind in columns.items()])
    return ModelSignature(inputs=inputs, outputs=Schema([TensorSpec(np.dtype("float32"), shape)]))


def example(config: Mapping[str, Any], tokenizer: Any) -> Any:
    """A table of one row that the model takes: a text where it knows texts, or else a picture or a feature."""
    import pandas as pd

    from kith.encoders.frozen import reads_texts
    from kith.inference.raw import is_of_features, pictures_of

    if reads_texts(config["image"].get("encoder", {})):
        return pd.DataFrame({"text": [_text(tokenizer)]})
    side = "image" if config["text"] is None else "text"
    if is_of_features(config[side]):
        return pd.DataFrame({side: [np.zeros(config[side]["shape"]).tolist()]})
    if side == "text":
        return pd.DataFrame({"text": [_text(tokenizer)]})
    return pd.DataFrame({"image": [_grey(pictures_of(config["image"]))]})


def _text(tokenizer: Any) -> str:
    """Of words that the model knows; a frozen encoder of texts has its own."""
    known = [word for word in tokenizer.words if word.isalpha() and len(word) > 1]
    return " ".join(known[:3]) or "a picture"


def _grey(kept: Mapping[str, Any]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L" if kept["channels"] == 1 else "RGB", (kept["size"], kept["size"])).save(buffer, "PNG")
    return buffer.getvalue()
