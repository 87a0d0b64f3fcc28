"""Whether the files that a study names are there, and are what they should be; and the processor."""

from collections.abc import Iterator
from pathlib import Path

from kith.errors import KithError
from kith.text.kinds import OF_WORDS
from kith.text.pretrained import opened, tokenizer_file
from stages import params
from stages.checks.fault import Fault, noted


def of_files(study: params.Params) -> Iterator[Fault]:
    """Of class embeddings and tokenizers, and of the device. Weights and starts: see networks."""
    found: list[Fault] = []
    embedding = study.class_embedding
    if embedding.file is not None:
        from kith.class_embedding import pickles

        with noted(found, "class_embedding.file"):
            pickles.read(embedding.file)
    if embedding.words not in (None, "text"):
        with noted(found, "class_embedding.words"):
            _check_words(Path(str(embedding.words)))
    yield from _of_judgements(study.evaluate.judged)
    for name in study.study.methods:
        method = study.method(name)
        tokenizer = method.train.text.tokenizer
        if method.needs.texts and tokenizer not in (None, *OF_WORDS):
            with noted(found, f"methods.{name}.train.text.tokenizer"):
                opened(tokenizer_file(str(tokenizer)).read_text(encoding="utf-8"))
        if method.train.device == "cuda":
            found.extend(_without_cuda(f"methods.{name}.train.device"))
    yield from found


def _of_judgements(folder: Path | None) -> Iterator[Fault]:
    """Of evaluate.judged, which is read after all has been trained."""
    if folder is None:
        return
    if not folder.is_dir():
        yield Fault("evaluate.judged", f"{folder}: no such folder yet; put it there, or mend the path", here=True)
        return
    from kith.evaluation.judgements import read_captions, read_judgements

    found: list[Fault] = []
    with noted(found, "evaluate.judged"):
        read_judgements(folder)
        read_captions(folder)
    yield from found


def _check_words(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise KithError(f"{path}: no such file; name a Parquet file with the columns word and vector, or text")
    try:
        names = pq.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        raise KithError(f"{path}: cannot be read as Parquet ({str(error).splitlines()[0]})") from None
    if missing := {"word", "vector"}.difference(names):
        raise KithError(f"{path}: has no column {' and '.join(sorted(missing))}; the columns are {', '.join(names)}")


def _without_cuda(key: str) -> Iterator[Fault]:
    import torch

    if not torch.cuda.is_available():
        yield Fault(key, "cuda: this computer has no CUDA device that torch can use; take auto or cpu", here=True)
