"""Let a frozen pretrained encoder read the pictures or texts once, for all methods that take its features.

What was encoded is kept under data/encoded, each row by its content: only what is new is encoded, after a kill it goes
on from there, and another study of the same pictures takes them over. That folder may be deleted at any time.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kith.encoders.finetuned import prove_size
from kith.encoders.frozen import DTYPE, Frozen, reference
from kith.encoders.names import SIDES, Side
from kith.encoding import EncoderUse
from kith.errors import KithError
from kith.progress import Progress
from kith.rows import encoding
from kith.rows.kept import GB, MOST, KeptRows, trim
from kith.rows.shared import EncodingWork, SharedRows
from kith.rows.sources import EncoderRows, PictureRows, WrittenRows
from kith.store.encoded import FEATURES
from kith.store.inputs import image_input
from kith.store.prepared import Prepared
from kith.store.provenance import NOTE, note, parameters
from stages import cli, files, params

CACHE = Path("data/encoded")
WRITTEN = (*FEATURES.values(), NOTE)


def main(*, encoder: str, sides: str, data: Path, out: Path, processes: cli.Processes = 1) -> None:
    """Write features_image.npy, features_text.npy, or both, into --out; --sides: "image", "text" or "image,text".

    --processes: so many processes of this machine share the rows; what is written is the same.
    """
    values = params.load()
    options = values.study.encoders[encoder]
    way = EncoderUse(**options.model_dump())
    torch.set_num_threads(values.train.threads)
    device = "cuda" if torch.cuda.is_available() and values.train.device != "cpu" else "cpu"
    prepared = Prepared(data)
    if prepared.dataset.get("features"):
        raise KithError(f"{data}: holds features already; leave out the encoder {encoder}, or prepare pictures")
    known: dict[str, Any] = {}
    most = MOST if values.encode.keep is None else values.encode.keep * GB
    with files.replacing_folder(out, *WRITTEN) as folder:
        for side in SIDES:
            if side in sides.split(","):
                frozen = _frozen(encoder, way, "text" if prepared.of_texts else side, device)
                rows, unit = _rows(frozen, side, prepared, values.encode.batch_size)
                with way.computing(device):
                    width = _write(folder / FEATURES[side], rows, unit, way, processes)
                known[side] = reference(frozen.encoder) | {"width": width}
                _tell(encoder, frozen, read_of(prepared, side))
        made_of = {"data": prepared.checksum, "encoders": known}
        made_of["parameters"] = parameters(
            options.model_dump(include=set(options.parameters())) | {"batch_size": values.encode.batch_size}
        )
        files.write_json(folder / NOTE, note(sorted(folder.iterdir()), **made_of))
    if removed := trim(CACHE, most):
        print(f"encode: {CACHE}: removed the {removed:,} files used least lately (encode.keep)", file=sys.stderr)


def read_of(data: Prepared, side: Side) -> list[str]:
    """The texts that are read for a side: for that of pictures, where there are none, those of each item together."""
    return data.texts if side == "text" else data.documents if data.of_texts else []


def _tell(encoder: str, frozen: Frozen, texts: list[str]) -> None:
    if texts and (cut := frozen.cut(texts)):
        longest = reference(frozen.encoder)["max_tokens"]
        said = f"{cut:,} are longer than {encoder} reads, {longest} tokens, and are cut"
        print(f"encode: of {len(texts):,} texts {said}", file=sys.stderr)


def _frozen(name: str, way: EncoderUse, side: Side, device: str) -> Frozen:
    if side == "image" and way.max_tokens:
        raise KithError(f"study.encoders.{name}: max_tokens is for texts; leave it out")
    if side == "text" and (way.size or way.crop):
        raise KithError(f"study.encoders.{name}: size and crop are for pictures; leave them out")
    frozen = way.opened(side, device)
    if side == "image":
        prove_size(frozen.encoder, "the size of study.encoders")
    return frozen


def _write(path: Path, rows: EncoderRows, unit: str, way: EncoderUse, processes: int) -> int:
    """Write the features of one side to `path`; returns their width."""
    name, width = rows.frozen.encoder.origin.name, rows.frozen.encoder.width
    cli.if_interrupted(f"the same command goes on with the {unit} that are not encoded yet")
    folder = encoding.folder_of(CACHE, rows.frozen, rows, rows.batch)
    source = rows if processes == 1 else SharedRows(rows, EncodingWork.of(way, rows, folder.name), processes, name)
    features = np.lib.format.open_memmap(path, "w+", dtype=DTYPE, shape=(len(rows), width))
    with Progress(f"encode with {name}", len(rows), unit) as progress:
        if encoding.stands_alone(folder, rows):
            counted = encoding.encode(source, KeptRows(folder, (width,), DTYPE), features, progress.step)
            print(f"encode: {name}: {counted.told(unit)}", file=sys.stderr)
        else:
            print(f"encode: {name}: a row depends on those beside it, so all {unit} are encoded", file=sys.stderr)
            encoding.encode_all(source, features, progress.step)
    features.flush()
    return width


def _rows(frozen: Frozen, side: Side, data: Prepared, batch: int) -> tuple[EncoderRows, str]:
    """The rows of a side, and what they are, in the plural."""
    found: EncoderRows
    if side == "text" or data.of_texts:
        found, unit = WrittenRows(frozen, read_of(data, side), batch), "texts"
    else:
        found, unit = PictureRows(frozen, image_input(data), data.dataset["image"], batch), "pictures"
    if not len(found):
        raise KithError(f"{data.folder}: has no {side}s for the encoder {frozen.encoder.origin.name}; leave it out")
    return found, unit


if __name__ == "__main__":
    cli.run(main)
