"""A trained model as MLflow loads it: a table of texts or pictures in, vectors out.

MLflow stores this file with the model and runs it when the model is loaded; nothing is pickled.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from mlflow import models
from mlflow.pyfunc import PythonModel, PythonModelContext


class Embedder(PythonModel):
    """Embeds the column `text`, or else the column `image` (encoded pictures, as bytes)."""

    def load_context(self, context: PythonModelContext) -> None:
        from kith.models import load

        self.model, self.vocabulary, self.saved = load(Path(context.artifacts["model"]))

    def predict(self, context, model_input: pd.DataFrame, params=None) -> np.ndarray:
        """Unit rows (n, dim) float32, one for each row of the table."""
        from kith.models.embed import embed_images, embed_texts

        if "text" in model_input and model_input["text"].notna().all():
            encoded = self.vocabulary.encode(list(model_input["text"]), self.saved["max_tokens"])
            return embed_texts(self.model, *encoded)
        pictures = np.stack([self._decode(data) for data in model_input["image"]])
        return embed_images(self.model, pictures, np.arange(len(pictures)))

    def _decode(self, data: bytes) -> np.ndarray:
        from kith.data.images import decode

        image = self.model.config["image"]
        mode = "L" if image["channels"] == 1 else "RGB"
        return decode(data, image["size"], mode, image["fit"])


models.set_model(Embedder())
