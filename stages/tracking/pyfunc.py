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
        from kith.models import load

        self.model, self.vocabulary, self.saved = load(Path(context.artifacts["model"]))

    def predict(self, context, model_input: pd.DataFrame, params=None) -> np.ndarray:
        """Unit rows (n, dim) float32, one for each row of the table."""
        from kith.models.embed import embed_images, embed_texts

        rows = np.arange(len(model_input))
        knows_texts = self.model.config["text"] is not None
        if knows_texts and "text" in model_input and model_input["text"].notna().all():
            return embed_texts(self.model, self._texts(model_input["text"]), rows)
        return embed_images(self.model, self._images(model_input["image"]), rows)

    def _texts(self, column: pd.Series):
        from kith.store.inputs import TokenView

        if "shape" in self.model.config["text"]:
            return _features(column)
        encoded = self.vocabulary.encode(list(column), self.saved["max_tokens"])
        return TokenView(*encoded, np.arange(len(column) + 1))

    def _images(self, column: pd.Series):
        from kith.store.inputs import ArrayView

        if "shape" in self.model.config["image"]:
            return _features(column)
        return ArrayView(np.stack([self._decode(data) for data in column]), np.arange(len(column)))

    def _decode(self, data: bytes) -> np.ndarray:
        from kith.data.images import decode

        image = self.model.config["image"]
        mode = "L" if image["channels"] == 1 else "RGB"
        return decode(data, image["size"], mode, image["fit"])


def _features(column: pd.Series):
    from kith.store.inputs import ArrayView

    return ArrayView(np.array(column.tolist(), dtype=np.float32), np.arange(len(column)))


models.set_model(Embedder())
