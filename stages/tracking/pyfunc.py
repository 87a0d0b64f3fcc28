"""A trained model as MLflow loads it: a table of texts or pictures in, vectors out.

MLflow stores this file with the model and runs it when the model is loaded; nothing is pickled.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from mlflow import models
from mlflow.pyfunc import PythonModel, PythonModelContext


class Embedder(PythonModel):
    """Embeds the column `text`, or else the column `image`.

    Texts are strings and pictures encoded ones, as bytes; where the model was trained on features, cells hold
    those, as nested lists of numbers.
    """

    def load_context(self, context: PythonModelContext) -> None:
        from kith.inference.raw import RawInputs
        from kith.models import load

        self.model, vocabulary, saved = load(Path(context.artifacts["model"]))
        self.raw = RawInputs(self.model.config, vocabulary, saved["max_tokens"])

    def predict(self, context, model_input: pd.DataFrame, params=None) -> np.ndarray:
        """Unit rows (n, dim) float32, one for each row of the table."""
        from kith.inference.predict import predict_images, predict_texts

        knows_texts = self.model.config["text"] is not None
        if knows_texts and "text" in model_input and model_input["text"].notna().all():
            return predict_texts(self.model, *self._arrays("text", model_input["text"]))["vector"]
        return predict_images(self.model, *self._arrays("image", model_input["image"]))["vector"]

    def _arrays(self, side: str, column: pd.Series):
        from kith.data.loader import Unusable

        values = [self.raw.reader(side)(cell) for cell in column]
        for row, value in enumerate(values):
            if isinstance(value, Unusable):
                raise ValueError(f"row {row}: column '{side}' {value.message}")
        return self.raw.arrays(side, values)


models.set_model(Embedder())
