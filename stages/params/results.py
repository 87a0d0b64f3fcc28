"""What is computed of the trained models: embeddings, figures, comparisons and reports."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from stages.params.base import Count, Name, NonNegative, Positive, Section

Figure = Annotated[str, Field(pattern=r"^(val|test(_\w+)?)/\w+/\S+$")]  # split and column of the leaderboard


class Embed(Section):
    batch_size: Positive = 256
    splits: Annotated[list[Name], Field(min_length=1)] | None = None


class Evaluate(Section):
    """ks: of recall; clip, precision_ks: answers that count in the (mean) hierarchical precision of pictures; svm:
    also predict classes by a linear SVM on the training pictures' embeddings (embed.splits has to name train), svm_c
    the weight of its errors, svm_scaling: embeddings of length 1, or each dimension divided by its largest training
    value; top_k: the true class is to be among so many likeliest ones;
    database: what pictures look for their class in: the others of their split, or all that are not for testing
    (training and validation pictures and the split database), for which embed.splits has to name train; or the rest,
    the split database alone, which prepare.per_class makes. Of these, knn vote on a class. hamming_topk: answers that
    count in the mAP@R of binary codes; metric_learning: also measure pictures as metric-learning papers do (Recall@k,
    R-precision, MAP@R, NMI, AMI); folds: also search pictures and texts in so many folds of each split, and report
    the mean, as COCO's 1K test does in 5; judged: a folder with the files of ECCV Caption or CxC, and those of COCO
    that say whose the captions are, by which texts and pictures are measured too."""

    ks: Annotated[list[Positive], Field(min_length=1)] = [1, 5, 10, 25]
    nway: list[Annotated[int, Field(ge=2)]] = [5, 20]
    neighborhood: Positive = 10
    ties: Literal["mean", "optimistic", "pessimistic", "stable"] = "mean"
    clip: Positive = 250
    precision_ks: list[Positive] = [1, 10, 50, 100]
    top_k: Annotated[int, Field(ge=2)] = 5
    svm: bool = False
    svm_c: Annotated[float, Field(gt=0)] = 1.0
    svm_scaling: Literal["l2", "max_abs"] = "l2"
    database: Literal["same", "train", "rest"] = "same"
    knn: Positive = 10
    hamming_topk: Positive | None = None
    metric_learning: bool = False
    folds: Annotated[int, Field(ge=2)] | None = None
    judged: Path | None = None
    bootstrap: Positive = 1000
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    seed: Count = 0


class Choice(Section):
    """Methods among which the validation split chooses, by a figure of the leaderboard, if not by the one that ranks
    them; only the chosen one's figure of the test split is then of interest."""

    methods: Annotated[list[Name], Field(min_length=2)]
    by: Annotated[str, Field(pattern=r"^\w+/\S+$")] | None = None


class Compare(Section):
    """details: the leaderboard also has the metrics that otherwise only metrics.json has, such as those in the
    taxonomy of texts and codes (docs/metrics.md tells which)."""

    choose: dict[Name, Choice] = {}
    permutations: Positive = 10000
    significance: Annotated[float, Field(gt=0, lt=1)] = 0.05
    seed: Count = 0
    details: bool = False


class Report(Section):
    """cost: the folder that `kith cost` has written, to be shown in the report."""

    queries: Positive = 8
    tsne: Positive = 500
    seed: Count = 0
    cost: Path | None = None


class Expected(Section):
    """A figure that a paper or an earlier run gives: leaderboard column → value, with a tolerance."""

    value: float
    tolerance: NonNegative = 0.0
    source: str = ""
