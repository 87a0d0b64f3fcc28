"""Shards: Arrow files of encoded pictures, and the index of where each picture lies in them.

A picture is read by its place alone, without what is around it; any reader of Arrow's file format reads a whole shard.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

SHARDS, INDEX = "images-{:05}.arrow", "images-index.npy"
SCHEMA = pa.schema([pa.field("image", pa.binary(), nullable=False)])
# Of each picture: the number of its shard, the place of its bytes in that file, and their SHA-256.
PLACE = np.dtype([("shard", "<i4"), ("offset", "<i8"), ("bytes", "<i4"), ("sha256", "V32")])


class Shard:
    """An Arrow file of pictures that is being written."""

    def __init__(self, path: Path) -> None:
        self.path, self.bytes = path, 0
        self._file = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._file, SCHEMA)

    def write(self, pictures: list[bytes]) -> None:
        self._writer.write_batch(pa.record_batch([pa.array(pictures, pa.binary())], schema=SCHEMA))
        self.bytes += sum(map(len, pictures))

    def close(self) -> None:
        self._writer.close()
        self._file.close()


def places(shard: Path) -> list[tuple[int, int]]:
    """(offset, bytes) in the file of each picture of a shard, so that it can be read without what is around it."""
    found = []
    with pa.memory_map(str(shard)) as file:
        whole = file.read_buffer()
        reader = pa.ipc.open_file(whole)
        for number in range(reader.num_record_batches):
            pictures = reader.get_batch(number).column(0)
            _, offsets, values = pictures.buffers()
            start = values.address - whole.address
            bounds = np.frombuffer(offsets, np.int32, len(pictures) + 1).tolist()
            found += [(start + first, after - first) for first, after in pairwise(bounds)]
    return found
