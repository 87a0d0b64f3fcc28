"""What is near in meaning: the texts' space, the neighbours in it, and the classes' taxonomy and embeddings."""

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import model_serializer, model_validator

from kith.text.selected import Selection
from stages.params.base import Count, Positive, Section, Share


class Tokens(Section):
    """What of a text is read: its first `sentences`, and of their words those that are long enough and no stop words
    of English."""

    sentences: Positive | None = None
    min_length: Positive = 3
    stop_words: bool = True

    @property
    def selection(self) -> Selection:
        """As kith.text takes it."""
        return Selection(self.sentences, self.min_length, _stop_words() if self.stop_words else frozenset())


def _stop_words() -> frozenset[str]:
    from gensim.parsing.preprocessing import STOPWORDS

    return STOPWORDS


class Later(Section):
    """A section with parameters that came later: where they are not set, nothing that was made of it changes."""

    LATER: ClassVar[tuple[str, ...]] = ()

    def parameters(self) -> list[str]:
        return [name for name in super().parameters() if name not in self.LATER or name in self.model_fields_set]

    @model_serializer(mode="wrap")
    def without_unset(self, serialize: Any) -> dict[str, Any]:
        values: dict[str, Any] = serialize(self)
        return {name: value for name, value in values.items() if name not in self.LATER or value is not None}


class Doc2Vec(Later):
    """as_published: as in Thomas & Kovashka's program, the vectors of training texts are inferred too, and all keep
    their lengths, which neighbors.distance: euclidean looks at."""

    algorithm: Literal["dbow", "dm"] = "dbow"
    train_words: bool = True
    dim: Positive = 200
    window: Positive = 10
    min_count: Positive = 2
    negative: Positive = 10
    LATER = ("as_published",)

    epochs: Positive = 40
    as_published: Literal[True] | None = None


class Text(Section):
    """What says how near two items are in meaning: a model of their texts, the features of the text side (such as
    tf-idf vectors), or nothing."""

    backend: Literal["doc2vec", "tfidf", "features", "none"] = "doc2vec"
    tokens: Tokens = Tokens()
    doc2vec: Doc2Vec = Doc2Vec()
    workers: Positive = 1
    seed: Count = 0


class Neighbors(Later):
    """distance: by which vectors are near: that of directions (null, the cosine), or the Euclidean one, which is
    searched exactly."""

    LATER = ("distance",)

    k: Positive = 50
    method: Literal["auto", "exact", "hnsw"] = "auto"
    distance: Literal["euclidean"] | None = None
    min_recall: Share = 0.99
    sample: Positive = 1000
    seed: Count = 0

    @model_validator(mode="after")
    def exact_by_distance(self) -> "Neighbors":
        if self.distance is not None and self.method == "hnsw":
            raise ValueError("neighbors.distance: euclidean is searched exactly; take method: exact, or no distance")
        return self


class TaxonomyOptions(Section):
    """draw: in how many nodes a drawing of the taxonomy may end: the classes, or else an upper level."""

    draw: Count = 120


class ClassEmbeddingOptions(Section):
    """unitsphere: dot products equal similarities; approx_sim and mds approximate them in `dim` dimensions; spheres:
    distances equal dissimilarities; onehot. file: a pickle of the published program (embedding, ind2label,
    label2ind) with a row for each class, in place of a computed embedding. normalize: rows are brought to length 1, as
    those of unitsphere are. words: where class names get word
    vectors from, "text" (the Doc2Vec model of the text stage) or a Parquet file with the columns word and vector; for
    methods with `targets: words`."""

    method: Literal["unitsphere", "approx_sim", "spheres", "mds", "onehot"] = "unitsphere"
    dim: Positive | None = None
    normalize: bool = False
    file: Path | None = None
    words: str | None = None
