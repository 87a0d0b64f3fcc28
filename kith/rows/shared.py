"""Rows that several processes of this machine encode, to the same bytes as one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kith.encoders.names import Side
from kith.encoding import EncoderUse
from kith.errors import KithError
from kith.processes import device_of, shared
from kith.rows.encoding import folder_of
from kith.rows.reopened import MappedFile, PhotoFiles, files_of, prove
from kith.rows.sources import Encoded, EncoderRows, Part, PictureRows, WrittenRows
from kith.store.inputs import ArrayInput, PhotoInput
from kith.store.photos import Photos

NO_ITEMS = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class EncodingWork:
    """How a process opens an encoder and the pictures that it reads; texts come with their part.

    kind: of the device; made_of: the name of `folder_of`, which is of all that decides a vector but the row itself.
    """

    encoding: EncoderUse
    side: Side
    pictures: MappedFile | PhotoFiles | None
    settings: dict[str, Any]
    batch: int
    threads: int
    kind: str
    made_of: str

    @classmethod
    def of(cls, encoding: EncoderUse, rows: EncoderRows, made_of: str) -> "EncodingWork":
        """That of rows which this process could encode as well."""
        threads, kind, batch = torch.get_num_threads(), rows.frozen.device.type, rows.batch
        if isinstance(rows, WrittenRows):
            return cls(encoding, "text", None, {}, batch, threads, kind, made_of)
        files = files_of(rows.pictures.array)
        return cls(encoding, "image", files, rows.settings, batch, threads, kind, made_of)

    def __call__(self, place: int) -> "_EncodesParts":
        torch.set_num_threads(self.threads)
        device = device_of(place, self.kind)
        with self.encoding.computing(device):
            rows = self._rows(device)
            other = folder_of(Path(), rows.frozen, rows, self.batch).name != self.made_of
        if other:
            raise KithError(
                f"{self.encoding.encoder}: process {place + 1} ({device}) would compute otherwise than this one: on "
                "another kind of GPU, or with files that were changed meanwhile; take GPUs of one kind "
                "(CUDA_VISIBLE_DEVICES)"
            )
        return _EncodesParts(rows, self.encoding, device)

    def _rows(self, device: torch.device) -> EncoderRows:
        frozen = self.encoding.opened(self.side, device)
        if self.pictures is None:
            return WrittenRows(frozen, [], self.batch)
        found = self.pictures.open()
        pictures = PhotoInput(found, NO_ITEMS) if isinstance(found, Photos) else ArrayInput(found, NO_ITEMS)
        return PictureRows(frozen, pictures, self.settings, self.batch)


@dataclass(frozen=True)
class _EncodesParts:
    rows: EncoderRows
    encoding: EncoderUse
    device: torch.device

    def __call__(self, part: Part) -> Encoded:
        """The keys (b,) of what was read, and the vectors (b, width) float16."""
        with self.encoding.computing(self.device):
            return self.rows.keys_of(part), self.rows.vectors(part)


class SharedRows:
    """`rows` that so many processes encode. What each has read is proved by its keys; the order is that of one process.

    work: how others encode them; name: for messages.
    """

    def __init__(self, rows: EncoderRows, work: EncodingWork, processes: int, name: str):
        self.rows, self.work, self.processes, self.name = rows, work, processes, name
        self._keys: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def keys(self) -> np.ndarray:
        if self._keys is None:
            self._keys = self.rows.keys()
        return self._keys

    def told(self) -> dict[str, Any]:
        return self.rows.told()

    def alone(self) -> bool:
        return self.rows.alone()

    def encode(self, rows: np.ndarray) -> Iterator[Encoded]:
        every = self.keys()

        def here(part: Part) -> Encoded:
            return every[part.rows], self.rows.vectors(part)

        for part, (read, vectors) in shared(self.work, here, self.rows.parts(rows), self.processes, self.name):
            prove(every[part.rows], read, self.name)
            yield part.rows, vectors
