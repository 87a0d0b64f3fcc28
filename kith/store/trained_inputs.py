"""Prepared data as the inputs of a model that was trained on such data."""

from collections.abc import Mapping
from typing import Any

from kith.errors import KithError
from kith.store.encoded import Encoded, encoded_beside, prove_encoded
from kith.store.inputs import ModalityInput, image_input, text_input
from kith.store.prepared import Prepared
from kith.text.tokenizer import Tokenizer


def trained_inputs(
    config: Mapping[str, Any], data: Prepared, vocabulary: Tokenizer, tokens: int
) -> dict[str, ModalityInput]:
    """By side what a model of this `config` takes, features of its encoders from beside the data; tokens: the longest
    text. Raises KithError where features are missing, of another encoder, or of texts of which it read more or less."""
    known = {side: (config[side] or {}).get("encoder") for side in ("image", "text")}
    encoded = {side: Encoded(encoded_beside(data, each["called"]), data) for side, each in known.items() if each}
    prove_encoded(encoded, config)
    _prove_lengths(encoded, known)
    inputs: dict[str, ModalityInput] = {"image": image_input(data, encoded.get("image"))}
    if config["text"] is not None:
        inputs["text"] = text_input(data, vocabulary, tokens, encoded.get("text"))
    return inputs


def _prove_lengths(encoded: Mapping[str, Encoded], known: Mapping[str, Any]) -> None:
    for side, each in encoded.items():
        trained, found = (of.get("max_tokens") for of in (known[side], each.reference(side)))
        if trained != found:
            raise KithError(
                f"{each.folder}: the encoder read {found} tokens of a text, and {trained} when the model was trained; "
                f"set study.encoders.{each.name}.max_tokens to that and run the encode stage again, or train again"
            )
