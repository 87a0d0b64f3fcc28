"""Pictures and texts that several processes of this machine embed with one model, to the same bytes as one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from kith import models
from kith.data.digests import sha256
from kith.encoders.names import Side
from kith.errors import KithError
from kith.models import DualEncoder
from kith.models.embed import embed_and_score, embed_texts
from kith.processes import device_of, shared
from kith.progress import Progress
from kith.rows.reopened import MappedFile, PhotoFiles, files_of, prove
from kith.rows.sources import keys_of_input
from kith.store.inputs import ArrayInput, EncodedTexts, ModalityInput, PhotoInput, TokenInput
from kith.store.photos import Photos
from kith.text.tokenizer import Tokenizer

NO_ITEMS = np.zeros(0, dtype=np.int64)

Scores = dict[str, np.ndarray]


class EmbeddedPart(NamedTuple):
    """Rows (b,) that are embedded together; texts as tokens come with them, and are all that `given` holds."""

    rows: np.ndarray
    given: TokenInput | None = None


@dataclass(frozen=True)
class SharedModel:
    """A model that other processes open too. checksum: the SHA-256 of its file; threads: of each process; kind, device:
    where it computes, and what `named` calls that."""

    path: Path
    checksum: str
    threads: int
    kind: str
    device: str

    @classmethod
    def of(cls, model: DualEncoder, path: Path, checksum: str) -> "SharedModel":
        """The model of this process, whose file at `path` has this checksum."""
        return cls(path.absolute(), checksum, torch.get_num_threads(), model.device.type, named(model.device))

    def open(self, place: int) -> tuple[DualEncoder, Tokenizer, dict[str, Any]]:
        """As `models.load`, in process number `place`. Raises KithError where that would compute otherwise."""
        torch.set_num_threads(self.threads)
        device = device_of(place, self.kind)
        if named(device) != self.device:
            raise KithError(
                f"process {place + 1} has another GPU ({named(device)}) than this one ({self.device}), which computes "
                "otherwise; take GPUs of one kind (CUDA_VISIBLE_DEVICES)"
            )
        if sha256(self.path) != self.checksum:
            raise KithError(f"{self.path}: was changed meanwhile; give the same command again")
        if device.type == "cuda":
            torch.cuda.set_device(device)  # for an encoder that the model needs
        return models.load(self.path, device)


@dataclass(frozen=True)
class EmbeddingWork:
    """How a process opens a model, and the files of what it reads of one side; None: all comes with the parts."""

    model: SharedModel
    side: Side
    files: MappedFile | PhotoFiles | None

    def __call__(self, place: int) -> "EmbedsParts":
        model, _, _ = self.model.open(place)
        if self.files is None:
            return EmbedsParts(model, self.side, None)
        found = self.files.open()
        inputs = PhotoInput(found, NO_ITEMS) if isinstance(found, Photos) else ArrayInput(found, NO_ITEMS)
        return EmbedsParts(model, self.side, inputs)


@dataclass(frozen=True)
class EmbedsParts:
    """Embeds parts of one side with a model; inputs: None where all comes with the part."""

    model: DualEncoder
    side: Side
    inputs: ModalityInput | None

    def __call__(self, part: EmbeddedPart) -> tuple[np.ndarray, np.ndarray, Scores]:
        """The keys (b,) of what was read, the vectors (b, …), and of pictures their class scores."""
        inputs, rows = self.inputs, part.rows
        if part.given is not None:
            inputs, rows = part.given, np.arange(len(rows))
        assert inputs is not None
        keys = keys_of_input(inputs, rows)
        if self.side == "text":
            return keys, embed_texts(self.model, inputs, rows, len(rows)), {}
        return keys, *embed_and_score(self.model, inputs, rows, len(rows))


@dataclass(frozen=True)
class SharedEmbedding:
    """A model that so many processes embed with. path, checksum: of its file; name: what the progress is called."""

    model: DualEncoder
    path: Path
    checksum: str
    batch_size: int
    processes: int
    name: str

    def images(self, inputs: ModalityInput, rows: np.ndarray) -> tuple[np.ndarray, Scores]:
        """As `kith.models.embed.embed_and_score`."""
        if self.processes == 1 or not len(rows):
            return embed_and_score(self.model, inputs, rows, self.batch_size, self.name)
        vectors, scores = zip(*self._parts("image", inputs, rows), strict=True)
        return np.concatenate(vectors), {name: np.concatenate([part[name] for part in scores]) for name in scores[0]}

    def texts(self, inputs: ModalityInput, rows: np.ndarray) -> np.ndarray:
        """As `kith.models.embed.embed_texts`."""
        if self.processes == 1 or not len(rows):
            return embed_texts(self.model, inputs, rows, self.batch_size, self.name)
        return np.concatenate([vectors for vectors, _ in self._parts("text", inputs, rows)])

    def _parts(self, side: Side, inputs: ModalityInput, rows: np.ndarray) -> Iterator[tuple[np.ndarray, Scores]]:
        work = EmbeddingWork(SharedModel.of(self.model, self.path, self.checksum), side, _files(inputs))
        here = EmbedsParts(self.model, side, inputs)
        batches = (rows[start : start + self.batch_size] for start in range(0, len(rows), self.batch_size))
        parts = (EmbeddedPart(batch, _slice(inputs, batch)) for batch in batches)
        with Progress(self.name, len(rows), "pictures" if side == "image" else "texts") as progress:
            for part, (read, vectors, scores) in shared(work, here, parts, self.processes, self.name):
                prove(keys_of_input(inputs, part.rows), read, self.name)
                yield vectors, scores
                progress.step(len(vectors))


def named(device: torch.device) -> str:
    """The kind of processor, or of GPU, that computes there."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()


def _files(inputs: ModalityInput) -> MappedFile | PhotoFiles | None:
    if isinstance(inputs, TokenInput):
        return None
    return files_of(inputs.features if isinstance(inputs, EncodedTexts) else inputs.array)


def _slice(inputs: ModalityInput, rows: np.ndarray) -> TokenInput | None:
    """These rows of texts as tokens, without what fills them up."""
    if not isinstance(inputs, TokenInput):
        return None
    lengths = inputs.lengths[rows]
    return TokenInput(inputs.tokens[rows, : lengths.max(initial=1)], lengths, np.arange(len(rows) + 1))
