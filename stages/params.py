"""The typed schema of params.yaml: one place, unknown keys are errors, every error names its key."""

import difflib
import functools
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kith.errors import KithError
from kith.terms import CLASS_TERMS

PARAMS = Path("params.yaml")
PRESETS = Path(__file__).with_name("presets.yaml")

Model = TypeVar("Model", bound=BaseModel)

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]
Figure = Annotated[str, Field(pattern=r"^(val|test(_\w+)?)/\w+/\S+$")]  # split and column of the leaderboard
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$")]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Study(Section):
    """What is run: a name (reports go to reports/<name>), the methods, the seeds, and a note for the reports."""

    name: Name
    methods: Annotated[list[Name], Field(min_length=1)]
    seeds: Annotated[list[Count], Field(min_length=1)] = [0]
    note: str = ""


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
    licence: str = "not stated"
    download: bool = False
    offline: bool = False
    downloads: Path = Path("data/downloads")

    @property
    def labelled(self) -> bool:
        """Whether it is a source of pictures and labels without texts."""
        return self.source in get_args(Labelled)

    @property
    def terms(self) -> str:
        """The licence, as the user states it, or else as it is known of the data set."""
        from kith.data.registry import RECIPES

        known = self.source in RECIPES and "licence" not in self.model_fields_set
        return RECIPES[self.source].licence if known else self.licence

    @property
    def captioned(self) -> bool:
        """Whether it is a source of pictures and captions in the layout of a data set."""
        return self.source in get_args(Captioned)

    @model_validator(mode="after")
    def fits_source(self) -> "Fetch":
        given = self.model_fields_set - {"source", "path", "licence"} - _taken(self)
        if given:
            raise ValueError(f"the source {self.source} does not take {', '.join(sorted(given))}; leave it out")
        if self.columns.categories and self.taxonomy is not None:
            raise ValueError("columns.categories are a taxonomy by themselves; leave out taxonomy or the categories")
        of_taxonomy = {"taxonomy_order"} | ({"class_names"} if self.source == "table" else set())
        if self.taxonomy is None and (idle := self.model_fields_set & of_taxonomy):
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


class Tokens(Section):
    sentences: Positive | None = None
    min_length: Positive = 3
    stop_words: bool = True


class Doc2Vec(Section):
    algorithm: Literal["dbow", "dm"] = "dbow"
    train_words: bool = True
    dim: Positive = 200
    window: Positive = 10
    min_count: Positive = 2
    negative: Positive = 10
    epochs: Positive = 40


class Text(Section):
    """What says how near two items are in meaning: a model of their texts, the features of the text side (such as
    tf-idf vectors), or nothing."""

    backend: Literal["doc2vec", "tfidf", "features", "none"] = "doc2vec"
    tokens: Tokens = Tokens()
    doc2vec: Doc2Vec = Doc2Vec()
    workers: Positive = 1
    seed: Count = 0


class Neighbors(Section):
    k: Positive = 50
    method: Literal["auto", "exact", "hnsw"] = "auto"
    min_recall: Share = 0.99
    sample: Positive = 1000
    seed: Count = 0


class ImageTower(Section):
    """Pictures: cnn, resnet (`depth`, `width`), vgg, or a published network by its whole name, such as plain-11,
    resnet-110-wfc, wrn-28-10, pyramidnet-272-200, densenet-bc-100-12, resnet-50, timm:<name>. Features: linear, mlp (of
    `layers` with `hidden` units), vgg (maps)."""

    tower: Annotated[str, Field(pattern=r"^(cnn|resnet|vgg|linear|mlp|[a-z]+(-[a-z0-9]+)+|timm:\S+)$")] = "cnn"
    depth: Literal[10, 18, 34, 50, 101, 152] = 18
    width: Positive = 32
    hidden: Positive = 1024
    layers: Positive = 2
    weights: Path | None = None


class TextTower(Section):
    """Texts: gru, bag, tfidf. Features: linear, mlp, vgg (maps). tfidf and mlp have `layers` hidden layers."""

    tower: Literal["gru", "bag", "tfidf", "linear", "mlp", "vgg"] = "gru"
    embedding: Positive = 200
    hidden: Positive = 512
    layers: Positive = 2
    width: Positive = 32
    pretrained_words: bool = False
    min_count: Positive = 1
    max_words: Positive | None = None
    max_tokens: Positive = 64
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Taxonomy(Section):
    """draw: the largest number of classes with which the taxonomy is drawn."""

    draw: Count = 120


class ClassEmbedding(Section):
    """unitsphere: dot products equal similarities; approx_sim and mds approximate them in `dim` dimensions; spheres:
    distances equal dissimilarities; onehot. file: a pickle of the published program (embedding, ind2label,
    label2ind) with a row for each class, in place of a computed embedding. words: where class names get word
    vectors from, "text" (the Doc2Vec model of the text stage) or a Parquet file with the columns word and vector; for
    methods with `targets: words`."""

    method: Literal["unitsphere", "approx_sim", "spheres", "mds", "onehot"] = "unitsphere"
    dim: Positive | None = None
    file: Path | None = None
    words: str | None = None


class Projection(Section):
    """What follows the towers: rows of length 1 (unit), a learned linear layer, or a CCA layer.

    alpha: share of the batch in its running statistics. Of the CCA layer: r1, r2, rT: ridges; power: canonical
    directions are weighted by correlation ** power in the projection that is refitted after each epoch.
    """

    kind: Literal["unit", "learned", "cca"] = "unit"
    alpha: Annotated[float, Field(gt=0, le=1)] = 1.0
    r1: NonNegative = 1e-3
    r2: NonNegative = 1e-3
    rT: NonNegative = 1e-3
    power: NonNegative = 0.0

    def options(self) -> dict[str, Any]:
        """What the layer is built with."""
        known = {"unit": ["kind"], "learned": ["kind", "alpha"]}.get(self.kind)
        return self.model_dump(include=set(known) if known else None)


class Refine(Section):
    """The schedule `refine`: after `patience` epochs without a better validation MRR, back to the best weights at
    `multiplier` times the learning rate, `steps` times; from then on with `later_patience`."""

    patience: Positive = 15
    steps: Count = 3
    multiplier: Annotated[float, Field(gt=0, lt=1)] = 0.1
    later_patience: Positive = 10


class Sgdr(Section):
    """The schedule `sgdr`: cycles of `base` epochs, each `multiplier` times as long as the one before, from `lr` down
    to `minimum`; with `final`, rates also fall steadily to that share of themselves."""

    base: Positive = 12
    multiplier: Positive = 2
    minimum: NonNegative = 1e-6
    final: Annotated[float, Field(gt=0, le=1)] | None = None


class Cyclical(Section):
    """The schedule `cyclical`: from `minimum` to `lr` in `half_cycle` epochs, and back."""

    half_cycle: Annotated[float, Field(gt=0)] = 4.0
    minimum: NonNegative = 1e-5


class OneCycle(Section):
    """The schedule `one_cycle`: up to `lr` over the share `rise` of all steps, from its `start`-th part; then down."""

    rise: Annotated[float, Field(gt=0, lt=1)] = 0.3
    start: Annotated[float, Field(ge=1)] = 25
    final: Annotated[float, Field(ge=1)] = 1e4


class Augment(Section):
    """Applied to training pictures; shift is a share of the side, rotate in degrees, scale a share; crop is the side
    of a square cut out at a random place (from the middle in evaluation); erase is the share of pictures of which a
    rectangle becomes noise."""

    flip: bool = False
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.0
    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0
    crop: Positive | None = None
    erase: Share = 0.0


class Train(Section):
    """Shared by all methods; a method may override any of it under its own `train` key.

    `l2` is the weight of Σw² over every parameter, in place of `weight_decay`, for the optimizers adam and sgd.
    `dim` is the width of the embeddings; a method with class embeddings as targets has theirs. `head: none` leaves the
    image tower's output as it is, without a last layer. `codes`: the embeddings of pictures are also evaluated as
    binary codes of `dim` bits, their signs. `start` is a Kith model, of which all layers that fit are taken over; in
    the first `head_epochs` the towers then stay as they are. `sampler: balanced` makes batches of
    `classes_per_batch` classes, by default as many as `batch_size` has room for, with `items_per_class` pictures each.
    """

    epochs: Positive
    batch_size: Annotated[int, Field(ge=2)] = 128
    sampler: Literal["shuffled", "balanced"] = "shuffled"
    classes_per_batch: Annotated[int, Field(ge=2)] | None = None
    items_per_class: Annotated[int, Field(ge=2)] = 4
    items_per_group: Positive | None = None
    fill_batches: bool = False
    dim: Positive = 256
    head: Literal["linear", "none"] = "linear"
    codes: bool = False
    image: ImageTower = ImageTower()
    text: TextTower = TextTower()
    projection: Projection = Projection()
    augment: Augment = Augment()
    start: Path | None = None
    head_epochs: Count = 0
    optimizer: Literal["adam", "adamw", "sgd", "adagrad"] = "adamw"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = True
    lr: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: NonNegative = 1e-4
    l2: NonNegative = 0.0
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    schedule: Literal["constant", "cosine", "plateau", "refine", "sgdr", "steps", "resnet", "cyclical", "one_cycle"] = (
        "cosine"
    )
    warmup: Share = 0.05
    sgdr: Sgdr = Sgdr()
    steps: list[tuple[Count, Annotated[float, Field(gt=0)]]] = []
    cyclical: Cyclical = Cyclical()
    one_cycle: OneCycle = OneCycle()
    plateau_patience: Positive = 5
    refine: Refine = Refine()
    early_stopping: Positive | None = None
    select: Literal["mrr", "loss", "ahp", "accuracy"] = "mrr"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Positive = 1
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    threads: Positive = 2


class Loss(Section):
    weight: NonNegative = 1.0


class Contrastive(Loss):
    temperature: Annotated[float, Field(gt=0)] = 0.07
    learn_temperature: bool = True


class PairwiseHinge(Loss):
    """In the first `warmup_epochs` all negatives count (Chen et al., "VSE∞", CVPR 2021).

    reduction: negatives of a query summed (Kiros et al., 2014) or averaged (Dorfer et al., 2018); symmetric:
    texts are queries too; distance: 1 − cosine, or the angle.
    """

    margin: NonNegative = 0.2
    negatives: Literal["all", "hardest"] = "all"
    warmup_epochs: Count = 0
    reduction: Literal["sum", "mean"] = "sum"
    symmetric: bool = True
    distance: Literal["cosine", "angle"] = "cosine"


class Angular(Loss):
    angle: Annotated[float, Field(gt=0, lt=90)] = 45.0
    as_published: bool = False


class CrossEntropy(Loss):
    """smoothing: share of the other classes in the target; head: how scores are made, see `Classifier`."""

    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    head: Literal["linear", "hidden", "normalized"] = "linear"


class TowardsClass(Loss):
    """Of an embedding and its class's: 1 − cosine, 1 − dot product, of the softmax, or the squared distance."""

    similarity: Literal["inv_corr", "unnorm_corr", "softmax_corr", "mse"] = "inv_corr"


class Devise(Loss):
    margin: NonNegative = 0.1


class Center(Loss):
    """learned: centres move with the pictures; else they are the class embeddings that `targets` names."""

    learned: bool = True


class LabelEmbedding(Loss):
    temperature: Annotated[float, Field(gt=0)] = 2.0
    alpha: Share = 0.9
    beta: Share = 0.5


class PairsOfClass(Loss):
    """Hadsell et al. (2006) on unit rows: all pairs of a batch, or all positives with as many negatives, drawn or the
    hardest."""

    margin: Annotated[float, Field(gt=0)] = 1.0
    mining: Literal["all", "random", "hardest"] = "random"
    normalize: bool = True


class MinedTriplets(Loss):
    """For each positive pair (twice where `ordered`) the negatives that `mining` names, see kith.mining. margin: by
    which negatives should be farther; what violates it may be mined. normalize: on rows of length 1."""

    mining: Literal[
        "all", "hardest", "random", "semi_hard", "nearest_semi_hard", "distance_weighted", "batch_hard",
        "batch_easy_hard",
    ] = "semi_hard"  # fmt: skip
    ordered: bool = False
    normalize: bool = True


class Triplet(MinedTriplets):
    """soft: log(1 + exp) in place of the margin; reduction: over all triplets found, or those above 0; bank: this many
    embeddings of earlier batches are positives and negatives too."""

    margin: Annotated[float, Field(gt=0)] = 0.2
    distance: Literal["squared", "euclidean"] = "squared"
    soft: bool = False
    reduction: Literal["mean", "active"] = "mean"
    bank: Count = 0


class HofferAilon(MinedTriplets):
    margin: Annotated[float, Field(gt=0)] = 0.2
    mining: Literal["all", "hardest", "random", "semi_hard", "batch_hard", "batch_easy_hard"] = "all"


class NPairs(Loss):
    """Two pictures of each class; angle: of the angular loss in degrees, in place of the N-pairs loss; regularization:
    weight of the squared lengths."""

    angle: Annotated[float, Field(gt=0, lt=90)] | None = None
    regularization: NonNegative = 0.0
    normalize: bool = False


class Dtsh(MinedTriplets):
    """margin: by default half the number of bits; quantization: weight of |u − sign u|²; schedule: which of the two
    is doubled four times, in equal parts of the training, up to its value; form: see kith.losses.dtsh."""

    mining: Literal["all", "hardest", "random", "semi_hard", "batch_hard", "batch_easy_hard"] = "all"
    margin: Annotated[float, Field(gt=0)] | None = None
    quantization: NonNegative = 100 / 22500
    schedule: Literal["none", "margin", "quantization_weight"] = "none"
    form: Literal["mean", "sum", "anchors"] = "mean"
    normalize: bool = False


class MetricLearning(Loss):
    """A loss of pytorch-metric-learning: ProxyAnchor, MultiSimilarity, SupCon, NTXent, ArcFace, …, with its options.
    Most bring rows to length 1 by themselves."""

    name: str
    options: dict[str, Any] = {}
    normalize: bool = True


class Losses(Section):
    """Terms of the objective; those given are summed with their weights."""

    info_nce: Contrastive | None = None
    siglip: Contrastive | None = None
    pairwise_hinge: PairwiseHinge | None = None
    trace_norm: Loss | None = None
    squared_distance: Loss | None = None
    angular_cross: Angular | None = None
    angular_symmetric: Angular | None = None
    angular_image: Angular | None = None
    angular_text: Angular | None = None
    cross_entropy: CrossEntropy | None = None
    class_embedding: TowardsClass | None = None
    devise: Devise | None = None
    center: Center | None = None
    label_embedding: LabelEmbedding | None = None
    contrastive: PairsOfClass | None = None
    triplet: Triplet | None = None
    hoffer_ailon: HofferAilon | None = None
    npairs: NPairs | None = None
    dtsh: Dtsh | None = None
    metric_learning: MetricLearning | None = None

    @model_validator(mode="after")
    def some(self) -> "Losses":
        if not any(getattr(self, name) for name in type(self).model_fields):
            raise ValueError(f"name at least one of {', '.join(type(self).model_fields)}")
        return self

    def terms(self) -> dict[str, dict[str, Any]]:
        """Name of the loss → its parameters, for those with a weight above zero."""
        given = {name: values for name, values in self.model_dump().items() if values is not None}
        return {name: values for name, values in given.items() if values["weight"] > 0}


class DrawNeighbors(Section):
    """For each training item, `count` neighbours are drawn from its `among` nearest in meaning."""

    count: Positive = 1
    among: Positive = 10


class Method(Section):
    """targets: the class embeddings of the terms class_embedding and devise: those of the stage class_embedding, one
    dimension a class, or word vectors of the class names."""

    losses: Losses
    targets: Literal["hierarchy", "onehot", "words"] = "hierarchy"
    neighbors: DrawNeighbors = DrawNeighbors()
    train: Train

    @property
    def uses_texts(self) -> bool:
        return not set(self.losses.terms()) <= set(CLASS_TERMS)

    @property
    def uses_classes(self) -> bool:
        return not set(self.losses.terms()).isdisjoint(CLASS_TERMS)

    @property
    def uses_targets(self) -> bool:
        fixed_centers = self.losses.center is not None and not self.losses.center.learned
        return fixed_centers or not {"class_embedding", "devise"}.isdisjoint(self.losses.terms())

    @property
    def classifier(self) -> str | None:
        """The kind of classifier that the losses train, if any."""
        if self.losses.label_embedding is not None:
            return "hidden"
        return None if self.losses.cross_entropy is None else self.losses.cross_entropy.head

    @model_validator(mode="after")
    def fits_together(self) -> "Method":
        train = self.train
        if train.head == "none" and self.uses_texts:
            raise ValueError("train.head: none is for methods that look at pictures alone")
        if train.head == "none" and train.codes:
            raise ValueError("train.codes needs head: linear; a tower's own output seldom has both signs")
        if not self.uses_texts and train.projection.kind != "unit":
            raise ValueError(f"train.projection.kind: {train.projection.kind} needs a loss of pictures and texts")
        if train.select in ("ahp", "accuracy") and not self.uses_classes:
            raise ValueError(f"train.select: {train.select} needs a loss of classes, such as cross_entropy")
        if train.sampler == "balanced" and not self.uses_classes:
            raise ValueError("train.sampler: balanced needs a loss of classes, such as triplet")
        if train.l2 and train.optimizer == "adamw":
            raise ValueError("train.l2 is for the optimizers adam and sgd; with adamw use train.weight_decay")
        if train.projection.kind == "cca" and train.batch_size <= train.dim:
            raise ValueError(
                "a CCA layer needs a batch larger than its dimension: "
                f"train.batch_size {train.batch_size}, train.dim {train.dim}"
            )
        if "trace_norm" in self.losses.terms() and train.projection.kind != "cca":
            raise ValueError("losses.trace_norm needs train.projection.kind: cca")
        return self


class Embed(Section):
    batch_size: Positive = 256
    splits: Annotated[list[Name], Field(min_length=1)] | None = None


class Evaluate(Section):
    """ks: of recall; clip, precision_ks: answers that count in the (mean) hierarchical precision of pictures; svm:
    also predict classes by a linear SVM on the training pictures' embeddings (embed.splits has to name train);
    database: what pictures look for their class in: the others of their split, or all that are not for testing
    (training and validation pictures and the split database), for which embed.splits has to name train; of these, knn
    vote on a class. hamming_topk: answers that count in the mAP@R of
    binary codes."""

    ks: Annotated[list[Positive], Field(min_length=1)] = [1, 5, 10, 25]
    nway: list[Annotated[int, Field(ge=2)]] = [5, 20]
    neighborhood: Positive = 10
    ties: Literal["mean", "optimistic", "pessimistic", "stable"] = "mean"
    clip: Positive = 250
    precision_ks: list[Positive] = [1, 10, 50, 100]
    svm: bool = False
    database: Literal["same", "train"] = "same"
    knn: Positive = 10
    hamming_topk: Positive | None = None
    bootstrap: Positive = 1000
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    seed: Count = 0


class Compare(Section):
    permutations: Positive = 10000
    significance: Annotated[float, Field(gt=0, lt=1)] = 0.05
    seed: Count = 0


class Report(Section):
    queries: Positive = 8
    tsne: Positive = 500
    seed: Count = 0


class Expected(Section):
    """A figure that a paper or an earlier run gives: leaderboard column → value, with a tolerance."""

    value: float
    tolerance: NonNegative = 0.0
    source: str = ""


class Params(Section):
    """The whole file. Every section has to be there, if only as {}: DVC tracks each by its name. `stages.study` fills
    in those that a study leaves out."""

    study: Study
    fetch: Fetch
    prepare: Prepare
    text: Text
    neighbors: Neighbors
    taxonomy: Taxonomy
    class_embedding: ClassEmbedding
    train: Train
    methods: dict[Name, dict[str, Any]]
    embed: Embed
    evaluate: Evaluate
    compare: Compare
    report: Report
    expect: dict[Name, dict[Figure, Expected]]

    def method(self, name: str) -> Method:
        """The method `name`: its preset, then the study's `train`, then what the study says of the method."""
        own = dict(self.methods[name])
        preset = _preset(own.pop("preset", name if name in presets() else None), f"methods.{name}.preset")
        train = _merge(self.train.model_dump(exclude_unset=True), preset.get("train", {}), own.get("train", {}))
        # A loss given under another preset's name replaces none: losses are merged term by term.
        merged = _merge(preset, own) | {"train": train}
        return _validate(Method, merged, f"methods.{name}")

    @model_validator(mode="after")
    def methods_exist(self) -> "Params":
        for name in self.study.methods:
            if name not in self.methods:
                known = ", ".join(self.methods) or "none"
                raise ValueError(
                    f"study.methods names '{name}', which is not under methods (there: {known}), nor a preset"
                    f"{_suggest(name, [*self.methods, *presets()])}"
                )
        for name in self.expect:
            if name not in self.methods:
                raise ValueError(f"expect names '{name}', which is not under methods")
        return self


@functools.cache
def presets() -> dict[str, Any]:
    """The content of presets.yaml: name of a published method → what it is made of."""
    return yaml.safe_load(PRESETS.read_text(encoding="utf-8"))


def load(path: Path = PARAMS) -> Params:
    """Read and validate the whole of params.yaml, every method included.

    Raises KithError that names the file, the key and, for an unknown key, the nearest known one.
    """
    if not path.exists():
        raise KithError(f"{path}: no such file; choose a study with `python -m stages.study NAME`")
    return check(parse(path.read_text(encoding="utf-8"), path), path)


def parse(text: str, path: Path = PARAMS) -> dict[str, Any]:
    """The sections in the text of a params file, not yet validated; `path` is for the messages."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise KithError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise KithError(f"{path}: expected sections (study, fetch, train, …) at the top level")
    return content


def check(content: dict[str, Any], path: Path = PARAMS) -> Params:
    """Validate the content of a params file, with `path` for the messages."""
    try:
        params = _validate(Params, content, "")
        for name in params.methods:
            params.method(name)
    except KithError as error:
        raise KithError(f"{path}: {error}") from None
    return params


def schema() -> dict[str, Any]:
    """The JSON schema of params.yaml, for editors and for Snakemake's config validation."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Params.model_json_schema()


def _preset(name: str | None, key: str) -> dict[str, Any]:
    if name is None:
        return {}
    if name not in presets():
        raise KithError(f"{key}: no preset '{name}'{_suggest(name, list(presets()))}")
    return presets()[name]


def _merge(*layers: dict[str, Any]) -> dict[str, Any]:
    """Later layers win, key by key, into nested mappings."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(merged.get(key), dict)
            merged[key] = _merge(merged[key], value) if both else value
    return merged


def _validate(model: type[Model], content: dict[str, Any], prefix: str) -> Model:
    try:
        return model.model_validate(content)
    except ValidationError as errors:
        lines = [_explain(model, error, prefix) for error in errors.errors()]
    raise KithError("; ".join(lines))


def _explain(model: type[BaseModel], error: Any, prefix: str) -> str:
    key = ".".join(filter(None, [prefix, *map(str, error["loc"])]))
    if error["type"] == "extra_forbidden":
        return f"{key}: no such parameter{_suggest(str(error['loc'][-1]), _keys(model, error['loc'][:-1]))}"
    given = f" (given: {error['input']!r})" if isinstance(error["input"], str | int | float) else ""
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "missing" and model is Params and len(error["loc"]) == 1:
        return f"{key}: no such section; `python -m stages.study NAME` fills in what a study leaves out"
    return f"{key}: {message}{given}" if key else message


def _keys(model: Any, path: tuple[Any, ...]) -> list[str]:
    """The names allowed at `path` inside `model`."""
    for key in path:
        annotation = model.model_fields[key].annotation if key in getattr(model, "model_fields", {}) else None
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next((c for c in candidates if hasattr(c, "model_fields")), None)
    return list(getattr(model, "model_fields", {}))


def _suggest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else f" (known: {', '.join(known)})"


if __name__ == "__main__":
    import json

    json.dump(schema(), sys.stdout, indent=2)
    sys.stdout.write("\n")
