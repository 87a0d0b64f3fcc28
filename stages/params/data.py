"""Where the data come from, and how they are prepared."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from kith.data.depths import Conversion
from kith.data.source import NOT_STATED
from kith.data.sources import SOURCES, find
from stages.params.base import Count, Name, Positive, Section, Share

if TYPE_CHECKING:
    SourceName = str
else:
    SourceName = Literal[tuple(SOURCES)]


class TableColumns(Section):
    """Column names of the user's table. Images: bytes, or paths relative to `image_root`. Categories, from the widest
    to the narrowest: the taxonomy, and in the place of `label` the last of them. Labels, where items have several: a
    column of lists, or of texts with `separator` between two of them, or several columns of 0 and 1. Extras: shown by
    the page of a search, read by nothing else."""

    id: str | None = None
    image: str | None = "image"
    texts: list[str] = ["text"]
    label: str | None = None
    split: str | None = None
    group: str | None = None
    categories: list[str] = []
    labels: list[str] = []
    separator: Annotated[str, Field(min_length=1)] | None = None
    extras: list[str] = []

    def parameters(self) -> list[str]:
        absent = {name for name in ("labels", "separator", "extras") if not getattr(self, name)}
        return [name for name in super().parameters() if name not in absent]

    @model_validator(mode="after")
    def one_label(self) -> "TableColumns":
        if self.categories and self.label:
            raise ValueError("categories are the label too; leave columns.label out")
        if self.labels and (self.categories or self.label):
            raise ValueError("labels are for items with several, label and categories for one each; leave some out")
        if self.separator is not None and len(self.labels) != 1:
            raise ValueError(
                "separator is for one column of several labels; name it in columns.labels, or leave it out"
            )
        return self


class ArrayNames(Section):
    """Names of the arrays of the source `arrays`: two views, and one value an item for the others."""

    image: str = "image"
    text: str = "text"
    id: str | None = None
    split: str | None = None
    label: str | None = None
    group: str | None = None
    texts: str | None = None


class Fetch(Section):
    """Where the data come from: `glyphs` and `emoji` draw them, `table` reads a Parquet, CSV or JSONL file of pictures
    and texts; `arrays`, `iapr_tc12` and `audio_score` read an .npz file, a folder of .npy files, or list columns of a
    Parquet file; the others are labelled pictures and pictures with captions in their official layouts
    (kith.data.sources).

    download: where there is nothing at `path`, get the data set from its publisher, if the source knows where it is,
    into `downloads`, and unpack it to `path`; offline: only from files that are in `downloads` already.

    taxonomy: a file of edges, with ids in the order that taxonomy_order says. class_names: a file of ids and
    readable names. missing: the words of a table that stand for nothing, as they are written; null: those that programs
    write for it (nan, None, NA, …); []: only an empty cell does. train_per_class: that many training pictures of each
    class. variant: half of the classes of CIFAR-100. supercategory: that part of iNaturalist. image_root: where
    pictures lie, if not where the data set has them. outside: whether a table may name pictures that lie neither there
    nor in its own folder. karpathy_split: whether to use Karpathy's split; by default where its file is there. text: of
    goodnews. min_characters: news with shorter texts are left out; max_characters: texts are cut there. languages: of
    the names of emoji; each gives a text."""

    source: SourceName
    path: Path
    columns: TableColumns = TableColumns()
    arrays: ArrayNames = ArrayNames()
    image_root: Path | None = None
    outside: bool = False
    splits: dict[str, Name | Literal["ignore"]] = {}
    taxonomy: Path | None = None
    taxonomy_order: Literal["parent-child", "child-parent"] = "parent-child"
    class_names: Path | None = None
    missing: list[str] | None = None
    train_per_class: Positive | None = None
    variant: Literal["a", "b", "b-consec"] | None = None
    supercategory: str | None = None
    karpathy_split: bool | None = None
    text: Literal["caption", "article", "headline"] = "caption"
    min_characters: Positive | None = None
    max_characters: Positive | None = None
    languages: Annotated[list[Name], Field(min_length=1)] = ["en", "de", "es", "fr", "it", "pt"]
    licence: str = NOT_STATED
    download: bool = False
    offline: bool = False
    downloads: Path = Path("data/downloads")

    def parameters(self) -> list[str]:
        taken = {"source", "path", "licence"} | find(self.source).options
        idle = self._of_taxonomy if self.taxonomy is None else set()
        return [name for name in type(self).model_fields if name in taken - idle]

    @property
    def _of_taxonomy(self) -> set[str]:
        """Parameters that mean nothing without a taxonomy."""
        return {"taxonomy_order"}

    @model_validator(mode="after")
    def fits_source(self) -> "Fetch":
        given = self.model_fields_set - {"source", "path", "licence"} - find(self.source).options
        if given:
            raise ValueError(f"the source {self.source} does not take {', '.join(sorted(given))}; leave it out")
        if self.min_characters and self.max_characters and self.min_characters > self.max_characters:
            raise ValueError("min_characters is more than max_characters, at which texts are cut; exchange them")
        if self.columns.categories and self.taxonomy is not None:
            raise ValueError("columns.categories are a taxonomy by themselves; leave out taxonomy or the categories")
        if self.columns.labels and self.taxonomy is not None:
            raise ValueError("a taxonomy is for items of one label each; leave it out, or columns.labels")
        if self.taxonomy is None and (idle := self.model_fields_set & self._of_taxonomy):
            raise ValueError(f"{', '.join(sorted(idle))} is for a taxonomy, and there is none; leave it out")
        return self


Level = Annotated[int, Field(ge=0, le=255)]
Side = Annotated[int, Field(ge=8, le=2048)]


class Image(Section):
    """What methods see: squares of `size`. `store`: where pictures are kept, as an `array` of such squares, or as
    `photos`, encoded, the shorter side at most `store_size` (or `size`, if that is more); `auto` takes photos where the
    array would be large. `fill`: the colour of the bars of `pad`: black, white, the middle of each picture's own
    border, or [red, green, blue]. `bits`: those that deep greys use, 8 to 16, or `unit` for floats from
    0 to 1; by default 16, and of floats what each picture looks like. `shown`: beside an array, pictures are kept as
    they came for people to look at, the shorter side at most that."""

    size: Side = 128
    mode: Literal["L", "RGB"] = "RGB"
    fit: Literal["pad", "crop", "stretch"] = "pad"
    fill: Literal["black", "white", "border"] | Annotated[list[Level], Field(min_length=3, max_length=3)] = "black"
    bits: Annotated[int, Field(ge=8, le=16)] | Literal["unit"] | None = None
    store: Literal["auto", "array", "photos"] = "auto"
    store_size: Side = 512
    shown: Side | None = None

    def parameters(self) -> list[str]:
        return [name for name in super().parameters() if name != "shown" or self.shown]

    @model_validator(mode="after")
    def fills_bars(self) -> "Image":
        if self.fill != "black" and self.fit != "pad":
            raise ValueError(f"fill is for the bars of fit: pad; with {self.fit} leave it out")
        if self.shown and self.store == "photos":
            raise ValueError("shown is for arrays; photographs are shown as they are stored: leave it out")
        return self

    @property
    def choices(self) -> Conversion:
        """As `images.decode` takes them: nothing where they are as ever."""
        fill = None if self.fill == "black" else self.fill if isinstance(self.fill, str) else tuple(self.fill)
        return Conversion(fill, self.bits)  # type: ignore[arg-type]


class Glyphs(Section):
    """Of sources that draw: how many characters; null takes all that the fonts can draw."""

    characters: Positive | None = None
    test: Positive = 1000
    val: Positive = 500


class FeatureScaling(Section):
    """Of sources of arrays, from the training split: mean and deviation, the largest value, or as they are."""

    image: Literal["standard", "max", "none"] = "standard"
    text: Literal["standard", "max", "none"] = "standard"


class PerClass(Section):
    """Splits drawn anew from all labelled pictures, so many of each class; the others become the database: they are
    found, but neither asked for nor trained on. The share `prepare.val` of the training items is held out. Of several
    labels each, the items of the rarest label are drawn first, and none twice."""

    train: Positive
    test: Positive


class Numbers(Section):
    """Splits drawn anew from all labelled items, so many altogether; the others become the database, as of
    `per_class`."""

    train: Positive
    test: Positive


class Prepare(Section):
    """exclude: a CSV file of items (column id) and texts (columns id and text) to leave out; relabel: one of items and
    their right labels (columns id and label); with a column mark, only the lines with the mark of that name count, so
    that one file, as the page /audit of `kith search --serve` writes it, can be both."""

    image: Image = Image()
    features: FeatureScaling = FeatureScaling()
    glyphs: Glyphs = Glyphs()
    val: Share = 0.1
    test: Share = 0.1
    per_class: PerClass | None = None
    counts: Numbers | None = None
    seed: Count = 0
    skip: list[Literal["missing_image", "undecodable_image", "empty_text"]] = []
    exclude: Path | None = None
    relabel: Path | None = None

    def parameters(self) -> list[str]:
        absent = {name for name in ("counts", "exclude", "relabel") if getattr(self, name) is None}
        return [name for name in type(self).model_fields if name not in absent]

    @model_validator(mode="after")
    def drawn_once(self) -> "Prepare":
        if self.per_class and self.counts:
            raise ValueError("per_class and counts both draw all splits; leave one out")
        return self
