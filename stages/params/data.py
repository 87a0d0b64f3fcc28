"""Where the data come from, and how they are prepared."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from stages.params.base import Count, Name, Positive, Section, Share

Pairs = Literal["glyphs", "table", "arrays", "iapr_tc12", "audio_score"]
Labelled = Literal[
    "cifar10", "cifar100", "image_folder", "image_lists", "ilsvrc", "cub", "nab", "cars", "flowers102",
    "inat2018", "inat2019", "mit67", "ucmerced", "resisc45",
]  # fmt: skip
Captioned = Literal[
    "flickr8k", "flickr30k", "coco2014", "coco2017", "politics", "goodnews", "conceptual_captions"
]  # fmt: skip
TAKEN = {
    "table": frozenset({"columns", "image_root", "splits", "taxonomy", "taxonomy_order", "class_names"}),
    "arrays": frozenset({"arrays"}),
}

NOT_STATED = "not stated"


class Columns(Section):
    """Column names of the user's table. Images: bytes, or paths relative to `image_root`. Categories, from the widest
    to the narrowest: the taxonomy, and in the place of `label` the last of them."""

    id: str | None = None
    image: str | None = "image"
    texts: list[str] = ["text"]
    label: str | None = None
    split: str | None = None
    group: str | None = None
    categories: list[str] = []

    @model_validator(mode="after")
    def one_label(self) -> "Columns":
        if self.categories and self.label:
            raise ValueError("categories are the label too; leave columns.label out")
        return self


class Arrays(Section):
    """Names of the arrays of the source `arrays`: two views, and one value an item for the others."""

    image: str = "image"
    text: str = "text"
    id: str | None = None
    split: str | None = None
    label: str | None = None
    group: str | None = None
    texts: str | None = None


class Fetch(Section):
    """Where the data come from: `glyphs` draws them, `table` reads a Parquet, CSV or JSONL file of pictures and
    texts; `arrays`, `iapr_tc12` and `audio_score` read an .npz file, a folder of .npy files, or list columns of a
    Parquet file; the others are labelled pictures (kith.data.classes) and pictures with captions
    (kith.data.captions) in their official layouts.

    download: where there is nothing at `path`, get the data set from its publisher, if kith.data.registry knows where
    it is, into `downloads`, and unpack it to `path`; offline: only from files that are in `downloads` already.

    taxonomy: a file of edges, with ids in the order that taxonomy_order says. class_names: a file of ids and
    readable names. train_per_class: that many training pictures of each class. variant: half of the classes of
    CIFAR-100. supercategory: that part of iNaturalist. image_root: where pictures lie, if not where the data set has
    them. karpathy_split: whether to use Karpathy's split; by default where its file is there. text: of goodnews."""

    source: Literal[Pairs, Labelled, Captioned]
    path: Path
    columns: Columns = Columns()
    arrays: Arrays = Arrays()
    image_root: Path | None = None
    splits: dict[str, Name | Literal["ignore"]] = {}
    taxonomy: Path | None = None
    taxonomy_order: Literal["parent-child", "child-parent"] = "parent-child"
    class_names: Path | None = None
    train_per_class: Positive | None = None
    variant: Literal["a", "b", "b-consec"] | None = None
    supercategory: str | None = None
    karpathy_split: bool | None = None
    text: Literal["caption", "article", "headline"] = "caption"
    licence: str = NOT_STATED
    download: bool = False
    offline: bool = False
    downloads: Path = Path("data/downloads")

    def parameters(self) -> list[str]:
        taken = {"source", "path", "licence"} | _taken(self)
        idle = self._of_taxonomy if self.taxonomy is None else set()
        return [name for name in type(self).model_fields if name in taken - idle]

    @property
    def labelled(self) -> bool:
        """Whether it is a source of pictures and labels without texts."""
        return self.source in get_args(Labelled)

    @property
    def terms(self) -> str:
        """The licence, as the user states it, or else as it is known of the data set."""
        from kith.data.registry import RECIPES

        known = self.source in RECIPES and self.licence == NOT_STATED
        return RECIPES[self.source].licence if known else self.licence

    @property
    def captioned(self) -> bool:
        """Whether it is a source of pictures and captions in the layout of a data set."""
        return self.source in get_args(Captioned)

    @property
    def _of_taxonomy(self) -> set[str]:
        """Parameters that mean nothing without a taxonomy."""
        return {"taxonomy_order"} | ({"class_names"} if self.source == "table" else set())

    @model_validator(mode="after")
    def fits_source(self) -> "Fetch":
        given = self.model_fields_set - {"source", "path", "licence"} - _taken(self)
        if given:
            raise ValueError(f"the source {self.source} does not take {', '.join(sorted(given))}; leave it out")
        if self.columns.categories and self.taxonomy is not None:
            raise ValueError("columns.categories are a taxonomy by themselves; leave out taxonomy or the categories")
        if self.taxonomy is None and (idle := self.model_fields_set & self._of_taxonomy):
            raise ValueError(f"{', '.join(sorted(idle))} is for a taxonomy, and there is none; leave it out")
        return self


def _taken(fetch: Fetch) -> frozenset[str]:
    """The parameters, beside those that all take, that the source takes."""
    from kith.data.captions.sources import SOURCES as CAPTIONED
    from kith.data.classes.sources import SOURCES as LABELLED
    from kith.data.registry import RECIPES

    own = TAKEN.get(fetch.source, frozenset())
    if fetch.labelled or fetch.captioned:
        own = (LABELLED[fetch.source] if fetch.labelled else CAPTIONED[fetch.source]).options
    return own | ({"download", "offline", "downloads"} if fetch.source in RECIPES else frozenset())


class Image(Section):
    size: Annotated[int, Field(ge=8, le=2048)] = 128
    mode: Literal["L", "RGB"] = "RGB"
    fit: Literal["pad", "crop", "stretch"] = "pad"


class Glyphs(Section):
    """How many characters; null takes all that the fonts can draw."""

    characters: Positive | None = None
    test: Positive = 1000
    val: Positive = 500


class FeatureScaling(Section):
    """Of sources of arrays, from the training split: mean and deviation, the largest value, or as they are."""

    image: Literal["standard", "max", "none"] = "standard"
    text: Literal["standard", "max", "none"] = "standard"


class PerClass(Section):
    """Splits drawn anew from all labelled pictures, so many of each class; the others become the database: they are
    found, but neither asked for nor trained on. The share `prepare.val` of the training items is held out."""

    train: Positive
    test: Positive


class Prepare(Section):
    image: Image = Image()
    features: FeatureScaling = FeatureScaling()
    glyphs: Glyphs = Glyphs()
    val: Share = 0.1
    test: Share = 0.1
    per_class: PerClass | None = None
    seed: Count = 0
    skip: list[Literal["missing_image", "undecodable_image", "empty_text"]] = []
