"""Prepared data as the inputs of a model that was trained on such data."""

from collections.abc import Mapping
from typing import Any

from kith.store.encoded import Encoded, encoded_beside, prove_encoded
from kith.store.inputs import ModalityInput, image_input, text_input
from kith.store.prepared import Prepared
from kith.text.tokenizer import Tokenizer


def trained_inputs(
    config: Mapping[str, Any], data: Prepared, vocabulary: Tokenizer, tokens: int
) -> dict[str, ModalityInput]:
    """By side what a model of this `config` takes, features of its encoders from beside the data; tokens: the longest
    text. Raises KithError where features are missing, or of another encoder."""
    known = {side: (config[side] or {}).get("encoder") for side in ("image", "text")}
    encoded = {side: Encoded(encoded_beside(data, each["called"]), data) for side, each in known.items() if each}
    prove_encoded(encoded, config)
    inputs: dict[str, ModalityInput] = {"image": image_input(data, encoded.get("image"))}
    if config["text"] is not None:
        inputs["text"] = text_input(data, vocabulary, tokens, encoded.get("text"))
    return inputs
