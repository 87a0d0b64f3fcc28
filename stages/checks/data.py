"""Whether the data are there, and have what the methods compare."""

from collections.abc import Collection, Iterator

from kith.data import sources
from kith.data.kinds import Drawn, Tabular, Vectors, check_classes
from kith.data.rows import Columns
from kith.errors import KithError
from stages import params
from stages.checks.fault import Fault
from stages.params.method import Method
from stages.params.towers import ENCODER

OF_WORDS = ("doc2vec", "tfidf")  # text.backend that learns from texts


def of_data(study: params.Params) -> Iterator[Fault]:
    """Of the section fetch, and of what the text stage reads of its data."""
    fetch, source = study.fetch, sources.find(study.fetch.source)
    held = source.holds(fetch.model_dump())
    if "image" not in held:
        yield from _without_pictures(study, held)
    if study.text.backend in OF_WORDS and "words" not in held:
        there = "features" if isinstance(source, Vectors) else "none"
        yield Fault("text.backend", f"{study.text.backend} learns from texts, and the data have none; take {there}")
    if study.text.backend == "features" and not isinstance(source, Vectors):
        yield Fault("text.backend", f"features are of sources of arrays, and {fetch.source} is none; take doc2vec")
    if isinstance(source, Drawn):
        return
    if not fetch.path.exists():
        told = "get the data set: kith download" if source.recipe else "put the data there, or mend the path"
        yield Fault("fetch.path", f"{fetch.path}: no such file or folder yet; {told}", here=True)
    if isinstance(source, Tabular) and fetch.path.is_file():
        from kith.data import table

        try:
            table.check_columns(fetch.path, Columns(**fetch.columns.model_dump()), fetch.image_root)
        except KithError as error:
            yield from (Fault("fetch.columns", line) for line in str(error).splitlines())
    yield from _beside(fetch)


def _without_pictures(study: params.Params, held: Collection[str]) -> Iterator[Fault]:
    """Texts alone can be learned from by their classes, with an encoder of texts in the place of that of pictures."""
    if "words" not in held:
        yield Fault("fetch.columns.image", "is not named, nor are texts; name a column of pictures, or of texts")
        return
    for name in study.study.methods:
        method = study.method(name)
        if method.train.image.encoder is None or method.train.image.tower == ENCODER or method.needs.texts:
            yield Fault(
                f"methods.{name}",
                "there are no pictures (fetch.columns.image): take a method of classes, on an encoder that reads the "
                "texts (train.image.encoder: minilm), or name the pictures' column",
            )


def _beside(fetch: params.Fetch) -> Iterator[Fault]:
    """Files that are named beside the data."""
    beside = {"image_root": fetch.image_root, "taxonomy": fetch.taxonomy, "class_names": fetch.class_names}
    gone = {name: path for name, path in beside.items() if path is not None and not path.exists()}
    for name, path in gone.items():
        yield Fault(f"fetch.{name}", f"{path}: no such file or folder yet; put it there, or mend the path", here=True)
    if not gone.keys() & {"taxonomy", "class_names"}:
        try:
            check_classes(fetch.model_dump())
        except KithError as error:
            yield Fault("fetch.taxonomy", str(error))


def of_needs(study: params.Params, method: Method, key: str) -> Iterator[Fault]:
    """Whether the data have what the losses of a method compare."""
    held, needs = sources.find(study.fetch.source).holds(study.fetch.model_dump()), method.needs
    losses, backend, words = f"{key}.losses", study.text.backend, study.class_embedding.words
    table = study.fetch.source == "table"
    if needs.texts and "text" not in held:
        place = "fetch.columns.texts names none" if table else f"the source {study.fetch.source} has none"
        yield Fault(losses, f"compare pictures with texts, and {place}; take a method of classes")
    if needs.classes and "label" not in held:
        place = "fetch.columns.label" if table else f"the source {study.fetch.source}"
        place = "fetch.arrays.label" if study.fetch.source == "arrays" else place
        yield Fault(losses, f"compare classes, and {place} gives no labels; take a method of texts")
    if needs.neighbors and backend == "none":
        yield Fault(losses, "draw neighbours in meaning, and text.backend: none has none; choose another")
    if needs.targets and method.targets == "words" and words is None:
        yield Fault(f"{key}.targets", "words need class_embedding.words: text, or a Parquet file (word, vector)")
    if needs.targets and method.targets == "words" and words == "text" and backend != "doc2vec":
        yield Fault(f"{key}.targets", f"class_embedding.words: text needs text.backend: doc2vec, not {backend}")
    if needs.texts and method.train.text.pretrained_words and backend != "doc2vec":
        place = f"{key}.train.text.pretrained_words"
        yield Fault(place, f"starts from the word vectors of text.backend: doc2vec, not {backend}; set it to false")
