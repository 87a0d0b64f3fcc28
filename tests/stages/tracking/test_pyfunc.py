"""The model that MLflow loads: which column says what its cells are."""

from types import SimpleNamespace

import pandas as pd
import pytest

from kith.inference.raw import RawInputs
from kith.text.tokens import Vocabulary
from stages.tracking.pyfunc import Embedder


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (
            {"image": ["photos/0.png"]},
            r"row 0: column 'image' is a string; give the picture's bytes, .* or texts in the",
        ),
        ({"image": [b"x", "red fox"]}, r"row 1: column 'image' is a string"),
        ({"text": ["red"], "image": [b"x"]}, "the table has texts and pictures; give one of the columns 'text' and"),
        ({"text": [" "]}, "row 0: column 'text' is empty"),
        ({"picture": [b"x"]}, "the table needs a column 'text' or 'image' without gaps"),
    ],
)
def test_columns_say_what_their_cells_are(table, told):
    embedder, config = Embedder(), {"image": {"size": 8, "channels": 3, "fit": "pad"}, "text": {}}
    embedder.model, embedder.raw = SimpleNamespace(config=config), RawInputs(config, Vocabulary(["red"]), max_tokens=8)
    with pytest.raises(ValueError, match=told):
        embedder.predict(None, pd.DataFrame(table))
