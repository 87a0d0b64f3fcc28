"""The terms that an objective is made of, with their weights and options."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from stages.params.base import Choices, Count, NonNegative, Section, Share


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


class Losses(Choices):
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
