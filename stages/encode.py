"""Let a frozen pretrained encoder read the pictures or texts once, for all methods that take its features.

What was encoded is kept in parts under data/encoded, by its content: after a kill it goes on from there, and another
study of the same pictures takes it over. That folder may be deleted at any time.
"""

import hashlib
import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kith.encoders import parts
from kith.encoders.encoder import PictureEncoder
from kith.encoders.finetuned import prove_size
from kith.encoders.frozen import DTYPE, Frozen, reference
from kith.encoders.names import SIDES, Side
from kith.encoders.registry import load
from kith.encoding import computing, reading
from kith.errors import KithError
from kith.progress import Progress
from kith.store.encoded import FEATURES
from kith.store.inputs import image_input
from kith.store.prepared import Prepared
from kith.store.provenance import NOTE, note, parameters
from stages import cli, files, params

CACHE = Path("data/encoded")
WRITTEN = (*FEATURES.values(), NOTE)


def main(*, encoder: str, sides: str, data: Path, out: Path) -> None:
    """Write features_image.npy, features_text.npy, or both, into --out; --sides: "image", "text" or "image,text"."""
    values = params.load()
    options = values.study.encoders[encoder]
    torch.set_num_threads(values.train.threads)
    device = "cuda" if torch.cuda.is_available() and values.train.device != "cpu" else "cpu"
    prepared = Prepared(data)
    if prepared.dataset.get("features"):
        raise KithError(f"{data}: holds features already; leave out the encoder {encoder}, or prepare pictures")
    known: dict[str, Any] = {}
    with files.replacing_folder(out, *WRITTEN) as folder:
        for side in SIDES:
            if side in sides.split(","):
                frozen = _frozen(encoder, options, "text" if prepared.of_texts else side, device)
                with computing(options.precision, device):
                    width = _write(folder / FEATURES[side], frozen, side, prepared, values)
                known[side] = reference(frozen.encoder) | {"width": width}
                _tell(encoder, frozen, read_of(prepared, side))
        made_of = {"data": prepared.checksum, "encoders": known}
        made_of["parameters"] = parameters(
            options.model_dump(include=set(options.parameters())) | values.encode.model_dump()
        )
        files.write_json(folder / NOTE, note(sorted(folder.iterdir()), **made_of))


def read_of(data: Prepared, side: Side) -> list[str]:
    """The texts that are read for a side: for that of pictures, where there are none, those of each item together."""
    return data.texts if side == "text" else data.documents if data.of_texts else []


def _tell(encoder: str, frozen: Frozen, texts: list[str]) -> None:
    if texts and (cut := frozen.cut(texts)):
        longest = reference(frozen.encoder)["max_tokens"]
        said = f"{cut:,} are longer than {encoder} reads, {longest} tokens, and are cut"
        print(f"encode: of {len(texts):,} texts {said}", file=sys.stderr)


def _frozen(name: str, options: params.EncoderOptions, side: Side, device: str) -> Frozen:
    found = load(options.encoder, side)
    if isinstance(found, PictureEncoder):
        if options.max_tokens:
            raise KithError(f"study.encoders.{name}: max_tokens is for texts; leave it out")
        found = replace(found, preprocessing=found.preprocessing.but(options.size, options.crop))
        prove_size(found, "the size of study.encoders")
    else:
        if options.size or options.crop:
            raise KithError(f"study.encoders.{name}: size and crop are for pictures; leave them out")
        found = reading(found, options.max_tokens)
    return Frozen(found, device)


class _Counted(Frozen):
    """An encoder that tells, batch by batch, how many pictures or texts it has read."""

    def __init__(self, frozen: Frozen, progress: Progress):
        vars(self).update(vars(frozen))
        self.progress = progress

    def images(self, pictures: torch.Tensor) -> np.ndarray:
        found = super().images(pictures)
        self.progress.step(len(found))
        return found

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        found = super().texts(texts)
        self.progress.step(len(found))
        return found


def _write(path: Path, frozen: Frozen, side: Side, data: Prepared, values: params.Params) -> int:
    """Write the features of one side to `path`, part by part; returns their width."""
    batch, reduced = values.encode.batch_size, torch.is_autocast_enabled(frozen.device.type)
    rows, unit = _counted(side, data)
    if not rows:
        raise KithError(f"{data.folder}: has no {side}s for the encoder {frozen.encoder.origin.name}; leave it out")
    progress = Progress(f"encode with {frozen.encoder.origin.name}", rows, unit)
    inputs, encode = _work(_Counted(frozen, progress), side, data, batch)
    kept = CACHE / parts.key(frozen, inputs + (" in bfloat16" if reduced else ""), batch)
    cli.if_interrupted(f"the same command goes on with the {side}s that are not encoded yet")
    width = frozen.encoder.width
    features = np.lib.format.open_memmap(path, "w+", dtype=DTYPE, shape=(rows, width))
    with progress:
        for span in parts.spans(rows):
            part = kept / f"{side}-{span.start:09}.npy"
            content = _read(part, (len(span), width))
            if content is None:
                content = encode(span)
                files.write_bytes(part, _sealed(content))
            else:
                progress.step(len(span))
            features[span.start : span.stop] = content
    features.flush()
    return width


def _counted(side: Side, data: Prepared) -> tuple[int, str]:
    """How many rows of a side there are, and what they are, in the plural."""
    if side == "text" or data.of_texts:
        return len(read_of(data, side)), "texts"
    return len(image_input(data).array), "pictures"


def _work(frozen: Frozen, side: Side, data: Prepared, batch: int) -> tuple[str, Callable[[range], np.ndarray]]:
    """The checksum of what is encoded, and what encodes some of its rows."""
    if side == "text" or data.of_texts:
        texts = read_of(data, side)
        return parts.checksum_of(texts), lambda span: parts.of_texts(frozen, texts[span.start : span.stop], batch)
    pictures = image_input(data)

    def take(rows: np.ndarray) -> torch.Tensor:
        return pictures.take(rows)[0]

    # As they are prepared: the files, and the size and fit at which photographs are decoded.
    stored = {name: each for name, each in data.dataset["checksums"].items() if name.startswith("images")}
    prepared = parameters([data.dataset["image"], stored])
    return prepared, lambda span: parts.of_images(frozen, take, span, batch)


def _sealed(content: np.ndarray) -> bytes:
    """A part as it is kept: a .npy file, and after it the SHA-256 of that, for it may lie there for long."""
    buffer = io.BytesIO()
    np.save(buffer, content, allow_pickle=False)
    return buffer.getvalue() + hashlib.sha256(buffer.getvalue()).digest()


def _read(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """A part that is there and whole; those of before had no checksum."""
    try:
        kept = io.BytesIO(path.read_bytes())
        found = np.load(kept)
    except Exception:  # whatever is wrong with it, it is made again
        return None
    whole, seal = kept.getvalue()[: kept.tell()], kept.read()
    proved = not seal or hashlib.sha256(whole).digest() == seal
    return found if found.shape == shape and proved else None


if __name__ == "__main__":
    cli.run(main)
