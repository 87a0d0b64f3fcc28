"""What an encoder knows of texts is asked for many of them, by several threads."""

from types import SimpleNamespace

from kith.encoders import tokens
from kith.encoders.encoder import TextEncoder
from kith.encoders.tokens import EncoderTokenizer
from kith.inference import raw
from kith.text.tokens import Vocabulary

CONTENT = '{"model": {"type": "WordLevel", "vocab": {"?": 0, "red": 1}, "unk_token": "?"}, "added_tokens": [], '
CONTENT += '"pre_tokenizer": {"type": "Whitespace"}}'


def test_the_unknown_piece_is_looked_for_once(monkeypatch):
    """It is looked for in the whole vocabulary: thirty thousand words a text would be minutes of a thousand texts."""
    asked, known = [], tokens.unknown_piece
    monkeypatch.setattr(tokens, "unknown_piece", lambda each: asked.append(each) or known(each))
    tokenizer = EncoderTokenizer(CONTENT, 0)
    assert [tokenizer.knows(text) for text in ("red", "blue", "red fox")] == [True, False, True]
    assert tokenizer.unknown_words("a red fox") == ["a", "fox"]
    assert len(asked) == 1


def test_an_encoder_is_loaded_before_threads_read_with_it(monkeypatch):
    loaded = []

    class Encoder(TextEncoder):
        tokenizer = EncoderTokenizer(CONTENT, 0)

        def __init__(self):
            """Without weights."""

    monkeypatch.setattr(raw, "as_noted", lambda *noted: loaded.append(noted) or SimpleNamespace(encoder=Encoder()))
    config = {"image": None, "text": {"shape": [8], "encoder": {"name": "mini"}}}
    reads = raw.RawInputs(config, Vocabulary([]), 8).reader("text")
    assert len(loaded) == 1
    assert reads("red") == "red"
    assert len(loaded) == 1
