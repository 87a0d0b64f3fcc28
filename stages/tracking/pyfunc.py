"""A trained model as MLflow loads it: a table of texts or pictures in, vectors out.

MLflow stores this file with the model and runs it when the model is loaded; nothing is pickled. Where kith is not
installed, it comes from the run of the study, which has one copy for all its models.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow import models
from mlflow.pyfunc import PythonModel, PythonModelContext


class Embedder(PythonModel):
    """Embeds the column `text` or the column `image`, whichever there is; not both at once.

    Texts are strings and pictures encoded ones, as bytes: a string in `image` is refused, since the files that it may
    name are those of another machine. Where the model was trained on features, cells hold those, as nested lists of
    numbers.
    """

    def load_context(self, context: PythonModelContext) -> None:
        logged = Path(context.artifacts["model"]).parents[1]
        _find_kith((models.Model.load(logged).metadata or {}).get("kith_code", ""))
        from kith.inference.raw import RawInputs
        from kith.models import load

        self.model, vocabulary, saved = load(Path(context.artifacts["model"]))
        self.raw = RawInputs(self.model.config, vocabulary, saved["max_tokens"])

    def predict(self, context, model_input: pd.DataFrame, params=None) -> np.ndarray:
        """Unit rows (n, dim) float32, one for each row of the table."""
        from kith.inference.predict import predict_images, predict_texts

        if self.raw.reads_texts:  # its image side is of texts
            if "text" not in model_input or model_input["text"].isna().any():
                raise ValueError(self._missing(["text"], model_input))
            return predict_images(self.model, *self._arrays("image", model_input["text"], "text"))["vector"]
        sides = [side for side in ("text", "image") if self.model.config[side] is not None]
        given = [side for side in sides if side in model_input and model_input[side].notna().all()]
        if not given:
            raise ValueError(self._missing(sides, model_input))
        if len(given) > 1:
            raise ValueError("the table has texts and pictures; give one of the columns 'text' and 'image' at a time")
        predict = predict_texts if given[0] == "text" else predict_images
        return predict(self.model, *self._arrays(given[0], model_input[given[0]], given[0]))["vector"]

    def _missing(self, sides: list[str], table: pd.DataFrame) -> str:
        """Of columns that the signature does not name, MLflow gives none."""
        empty = {side: int(table[side].isna().to_numpy().argmax()) for side in sides if side in table}
        told = [f"; column '{side}' is empty in row {row}" for side, row in empty.items()]
        return f"the table needs a column {' or '.join(repr(side) for side in sides)} without gaps{''.join(told)}"

    def _arrays(self, side: str, column: pd.Series, called: str):
        """called: the column."""
        from kith.data.loader import Unusable

        if called == "image" and (named := [row for row, cell in enumerate(column) if isinstance(cell, str)]):
            raise ValueError(
                f"row {named[0]}: column 'image' is a string; give the picture's bytes, as of open(path, 'rb').read(), "
                "or texts in the column 'text'"
            )
        values = [self.raw.reader(side)(cell) for cell in column]
        for row, value in enumerate(values):
            if isinstance(value, Unusable):
                raise ValueError(f"row {row}: column '{called}' {value.message}")
        return self.raw.arrays(side, values)


def _find_kith(code: str) -> None:
    """Let kith be importable: as it is installed, or else from the zip at `code`, an address of MLflow."""
    if importlib.util.find_spec("kith") is not None:
        return
    import shutil
    import tempfile

    from mlflow.artifacts import download_artifacts

    try:
        folder = tempfile.mkdtemp(prefix="kith-")
        shutil.unpack_archive(download_artifacts(code, dst_path=tempfile.mkdtemp()), folder)
    except Exception as error:
        raise ImportError(f"kith is not installed, and its code is not at {code} ({error}); install it") from None
    sys.path.append(folder)


models.set_model(Embedder())
