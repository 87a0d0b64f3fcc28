"""The catalogue of metrics: the one place that says what each is called, what it means and how it is shown.

A metric in metrics.json, and its column of the leaderboard, is named "<group>/<key>". `kith.evaluation.describe` looks
it up for the leaderboard in Markdown, the page in HTML, the ranking of methods, MLflow and docs/metrics.md. A new
metric is a line of METRICS, beside its computation and its test.
"""

from typing import Literal, NamedTuple

DIRECTIONS = ("text_to_image", "image_to_text")
IMAGES = "image_to_image"  # pictures found by pictures, right where the class is the same
SHARED = "shared"  # the same, of pictures with several labels each: right where they share one
PREDICTORS = ("classifier", "nearest", "svm")  # by what the class of a picture is predicted
FOLDS = "_folds"  # ends the group of what is searched fold by fold
TAXONOMY = "_taxonomy"  # ends the group of what finds, where its answers are measured in the taxonomy


class Group(NamedTuple):
    """What metrics are of: the heading over their columns, and what stands before a title that has no heading."""

    title: str
    short: str = ""


class Scale(NamedTuple):
    """How values are shown: so many decimals; percent: they run from 0 to 100."""

    decimals: int
    percent: bool = False


class Ranking(NamedTuple):
    """How methods are ranked by a metric: as the mean over the queries of `directions`, each of the same weight, of its
    column of queries.parquet. task and measure: what the best method is best in, and by what; without, nobody is told.
    """

    directions: tuple[str, ...]
    prefix: str
    task: str = ""
    measure: str = ""

    @property
    def columns(self) -> tuple[str, str, str]:
        """The columns of the leaderboard that hold the ends of its interval, and p against the best method."""
        return f"{self.prefix}low", f"{self.prefix}high", f"{self.prefix}p"

    @property
    def places(self) -> tuple[str, str, str]:
        """The columns that hold the first and the last place that a method may have, and the letters that it shares
        with those that it cannot be told apart from."""
        return f"{self.prefix}place low", f"{self.prefix}place high", f"{self.prefix}letters"


class Metric(NamedTuple):
    """A metric of one or more groups.

    key: its name in a group, where {k} stands for a number. title: the head of its column, the key with spaces where
    nothing is said. better: which end is. column: of queries.parquet, which holds its value for each query. detail: it
    stands in metrics.json, and in the leaderboard only where params.yaml asks for details.
    """

    groups: tuple[str, ...]
    key: str
    scale: Scale
    meaning: str
    title: str = ""
    better: Literal["max", "min", ""] = "max"
    column: str = ""
    ranking: Ranking | None = None
    detail: bool = False

    @property
    def group(self) -> Group:
        """The first of its groups: the only one of what `describe` finds."""
        return GROUPS[self.groups[0]]

    @property
    def head(self) -> str:
        """The head of its column."""
        return self.title or self.key.replace("_", " ")

    @property
    def full_head(self) -> str:
        """The head where no heading names the group: "t→i R@1"."""
        return f"{self.group.short} {self.head}".strip()

    def shown(self, value: float) -> str:
        """A value in the digits that it is shown with."""
        return f"{value:.{self.scale.decimals}f}"


GROUPS = {
    "": Group(""),
    "mean": Group("both directions"),
    "text_to_image": Group("text → image", "t→i"),
    "image_to_text": Group("image → text", "i→t"),
    "pairs": Group("matched pairs"),
    "neighborhood": Group("neighbourhoods kept"),
    IMAGES: Group("image → image, by class"),
    SHARED: Group("image → image, by shared labels"),
    "classifier": Group("classifier"),
    "nearest": Group("nearest class embedding"),
    "svm": Group("linear SVM"),
    "hamming": Group("binary codes"),
    "database": Group("among training pictures"),
    "metric_learning": Group("metric learning"),
    "text_to_image_taxonomy": Group("text → image, in the taxonomy", "t→i"),
    "image_to_text_taxonomy": Group("image → text, in the taxonomy", "i→t"),
    "hamming_taxonomy": Group("binary codes, in the taxonomy"),
    "database_taxonomy": Group("among training pictures, in the taxonomy"),
    "image_to_image_taxonomy": Group("image → image, in the taxonomy"),
    "mean_folds": Group("both directions, in folds"),
    "text_to_image_folds": Group("text → image, in folds", "t→i"),
    "image_to_text_folds": Group("image → text, in folds", "i→t"),
    "text_to_image_eccv": Group("text → image, by ECCV Caption", "t→i"),
    "image_to_text_eccv": Group("image → text, by ECCV Caption", "i→t"),
    "text_to_image_cxc": Group("text → image, by CxC", "t→i"),
    "image_to_text_cxc": Group("image → text, by CxC", "i→t"),
}
MEAN, PAIRS, NEAR, CLASS, CODES = ("mean",), ("pairs",), ("neighborhood",), (IMAGES,), ("hamming",)
DATABASE, LEARNING = ("database",), ("metric_learning",)
SETS = (SHARED, *CODES, *DATABASE)
OTHERS_IN_TAXONOMY = tuple(f"{each}{TAXONOMY}" for each in (*DIRECTIONS, *CODES, *DATABASE))
IN_FOLDS = tuple(f"{each}{FOLDS}" for each in DIRECTIONS)
BY_JUDGES = tuple(f"{each}_{judges}" for judges in ("eccv", "cxc") for each in DIRECTIONS)
ALL_IN_TAXONOMY = (*OTHERS_IN_TAXONOMY, f"{IMAGES}{TAXONOMY}")
SHARE, PERCENT, RANK, COUNT = Scale(3), Scale(1, percent=True), Scale(1), Scale(0)
BY_PAIRS = Ranking(DIRECTIONS, "", "texts find pictures and pictures texts", "mean reciprocal rank of both directions")
BY_CLASSES = Ranking(CLASS, "ahp ", "pictures find pictures of near classes")
BY_LABELS = Ranking(CLASS, "shared ", "pictures find pictures that share a label", "mean average precision")
BY_CODES = Ranking(CLASS, "hamming ")
# Sentences of several metrics: they stand once in the legend of a page.
MRR = "Mean reciprocal rank of the first right answer: 1 if it always comes first."
MAP = "Mean average precision over all right answers."
RECALL = "Recall: percentage of queries with a right answer among the k best."
R_PRECISION = "Share of right ones among as many answers as there are right."
MAP_AT_R = "Average precision over as many answers as there are right ones."
RSUM = "Sum of R@1, R@5 and R@10 of both directions, 600 at best."
HP = "Nearness in the taxonomy of the first k pictures found by a picture, 1 at best."
NEARNESS = "Nearness in the taxonomy of the first k answers, 1 at best."
HAP = "Average precision in which a near class counts as far as it is similar (Ramzi et al., ECCV 2022)."
NDCG = "Similarity of the classes found, as a share of the best order's, 1 at best; early places count more."
FAR = "Mean height at which the classes of the first k answers meet the right one (Bertinetto et al., CVPR 2020)."
WAP = "Mean average precision in which each right answer counts by the labels shared up to it (Zhao et al., CVPR 2015)."
ACG = "How many labels the first k answers share, in the mean."
SHARED_NDCG = "Σ of 2^labels shared − 1 over the first k answers, early ones more, as a share of the best order's."
SEVERE = "Height at which the class of a wrong first answer meets the right one."
AHP_K = "Hierarchical precision of pictures found by a picture, averaged over the first answers."
AHP = "Hierarchical precision averaged over all answers."
CLASSES = "Percentage of pictures whose class"
BEATS = "Percentage of queries whose partner comes before"
DISTANCE = "cosine distance of a text from its own picture"
EARLY = "1 at best; early places count more"
P_VALUE = "How often chance makes a difference from the best method as large, adjusted for all pairs of methods."

METRICS = (
    Metric(
        ("",), "seeds", COUNT, "Trainings with different seeds; metrics are means, ± standard deviations.", better=""
    ),
    Metric(MEAN, "mrr", SHARE, MRR, "MRR", "max", "reciprocal_rank", BY_PAIRS),
    Metric((*DIRECTIONS, IMAGES), "mrr", SHARE, MRR, "MRR", "max", "reciprocal_rank"),
    Metric((*DIRECTIONS, "mean"), "R@{k}", PERCENT, RECALL),
    Metric(MEAN, "rsum", RANK, RSUM, "RSUM", detail=True),
    Metric(DIRECTIONS, "median_rank", RANK, "Median rank of the first right answer.", "", "min", "rank"),
    Metric(DIRECTIONS, "mean_rank", RANK, "Mean rank of the first right answer.", "", "min", "rank"),
    Metric((*DIRECTIONS, IMAGES), "map", SHARE, MAP, "mAP", "max", "average_precision"),
    Metric(DIRECTIONS, "random_{k}way", PERCENT, f"{BEATS} k − 1 others drawn at random.", "random {k}-way"),
    Metric(DIRECTIONS, "hard_{k}way", PERCENT, f"{BEATS} the k − 1 others nearest in meaning.", "hard {k}-way"),
    Metric(PAIRS, "mean_distance", SHARE, f"Mean {DISTANCE}: 0 the same, 1 unrelated.", better=""),
    Metric(PAIRS, "median_distance", SHARE, f"Median {DISTANCE}.", better=""),
    Metric(PAIRS, "min_distance", SHARE, f"Smallest {DISTANCE}.", better=""),
    Metric(PAIRS, "max_distance", SHARE, f"Largest {DISTANCE}, 2 at most.", better=""),
    Metric(NEAR, "image_recall@{k}", SHARE, "Share of the nearest in meaning that are among the nearest pictures."),
    Metric(NEAR, "image_ndcg@{k}", SHARE, f"How near in meaning the nearest pictures are, {EARLY}.", "image nDCG@{k}"),
    Metric(NEAR, "text_recall@{k}", SHARE, "Share of the nearest in meaning that are among the nearest texts."),
    Metric(NEAR, "text_ndcg@{k}", SHARE, f"How near in meaning the nearest texts are, {EARLY}.", "text nDCG@{k}"),
    Metric(CLASS, "HP@{k}", SHARE, HP),
    Metric(CLASS, "AHP@{k}", SHARE, AHP_K, column="ahp", ranking=BY_CLASSES),
    Metric(CLASS, "AHP", SHARE, AHP),
    Metric((SHARED,), "map", SHARE, MAP, "mAP", "max", "average_precision", BY_LABELS),
    Metric((SHARED,), "mrr", SHARE, MRR, "MRR", "max", "reciprocal_rank"),
    Metric((SHARED,), "R@{k}", PERCENT, RECALL),
    Metric((SHARED, *DATABASE), "precision@{k}", SHARE, "Share of right ones among the first k answers.", "P@{k}"),
    Metric(SETS, "WAP", SHARE, WAP),
    Metric(SETS, "ACG@{k}", SHARE, ACG),
    Metric(SETS, "NDCG@{k}", SHARE, SHARED_NDCG, "nDCG@{k}"),
    Metric(CLASS, "HP@{k}_wup", SHARE, HP, "HP@{k} (WUP)"),
    Metric(CLASS, "AHP@{k}_wup", SHARE, AHP_K, "AHP@{k} (WUP)"),
    Metric(CLASS, "AHP_wup", SHARE, AHP, "AHP (WUP)"),
    Metric(PREDICTORS, "accuracy", PERCENT, f"{CLASSES} is predicted."),
    Metric(
        PREDICTORS,
        "label_map",
        SHARE,
        "Mean over the labels of the average precision of pictures by their score.",
        "mAP of labels",
    ),
    Metric(PREDICTORS, "balanced_accuracy", PERCENT, "Accuracy as the mean over the classes."),
    Metric(PREDICTORS, "top{k}_accuracy", PERCENT, f"{CLASSES} is among the k likeliest.", "top {k} accuracy"),
    Metric(
        PREDICTORS, "hierarchical_accuracy", PERCENT, "Accuracy in which a wrong class counts as far as it is similar."
    ),
    Metric(PREDICTORS, "mistake_severity", PERCENT, "Height at which wrong classes meet the right one.", better="min"),
    Metric(PREDICTORS, "hierarchical_distance@{k}", PERCENT, FAR, better="min", detail=True),
    Metric(CODES, "map", SHARE, MAP, "mAP", "max", "hamming_ap", BY_CODES),
    Metric(CODES, "map@{k}", SHARE, "Mean average precision over the right answers among the first k.", "mAP@{k}"),
    Metric(CODES, "precision@{k}", SHARE, "Share of right ones among the first k answers.", "P@{k}"),
    Metric(
        CODES, "precision_radius{k}", SHARE, "Share of right ones within k bits, 0 if there are none.", "P@radius {k}"
    ),
    Metric(CODES, "bits", COUNT, "Length of the codes.", better=""),
    Metric(CODES, "bit_imbalance", SHARE, "How far bits are from halving the pictures, from 0 to 1.", better="min"),
    Metric(CODES, "bit_correlation", SHARE, "Mean size of the correlation of two bits.", better="min"),
    Metric(DATABASE, "map", SHARE, MAP, "mAP"),
    Metric(DATABASE, "knn_accuracy", PERCENT, f"{CLASSES} most of the nearest vote for.", "k-NN accuracy"),
    Metric(LEARNING, "R@{k}", PERCENT, RECALL),
    Metric(LEARNING, "r_precision", SHARE, R_PRECISION, "R-precision"),
    Metric(LEARNING, "map@r", SHARE, MAP_AT_R, "MAP@R"),
    Metric(LEARNING, "nmi", SHARE, "Normalised mutual information of k-means clusters and classes, 1 the same.", "NMI"),
    Metric(LEARNING, "ami", SHARE, "NMI, adjusted: 0 for clusters at random.", "AMI"),
    Metric(OTHERS_IN_TAXONOMY, "HP@{k}", SHARE, NEARNESS, detail=True),
    Metric(OTHERS_IN_TAXONOMY, "AHP@{k}", SHARE, "HP@k, averaged over the first answers.", detail=True),
    Metric(OTHERS_IN_TAXONOMY, "AHP", SHARE, "HP@k, averaged over all answers.", detail=True),
    Metric(ALL_IN_TAXONOMY, "HAP", SHARE, HAP, "H-AP", detail=True),
    Metric(ALL_IN_TAXONOMY, "NDCG", SHARE, NDCG, "nDCG", detail=True),
    Metric(ALL_IN_TAXONOMY, "hierarchical_distance@{k}", SHARE, FAR, detail=True, better="min"),
    Metric(ALL_IN_TAXONOMY, "mistake_severity", SHARE, SEVERE, detail=True, better="min"),
    Metric((f"mean{FOLDS}",), "rsum", RANK, RSUM, "RSUM"),
    Metric(IN_FOLDS, "mrr", SHARE, MRR, "MRR"),
    Metric(IN_FOLDS, "R@{k}", PERCENT, RECALL),
    Metric(IN_FOLDS, "map", SHARE, MAP, "mAP"),
    Metric(BY_JUDGES, "R@{k}", PERCENT, RECALL),
    Metric(BY_JUDGES, "r_precision", SHARE, R_PRECISION, "R-precision"),
    Metric(BY_JUDGES, "map@r", SHARE, MAP_AT_R, "mAP@R"),
)

SUMMARY = {  # name in metrics/<method>.json, which DVC shows, beside AHP@k → the columns that it is the mean of
    "R@1 t2i": ("text_to_image/R@1",),
    "R@10 t2i": ("text_to_image/R@10",),
    "R@1 i2t": ("image_to_text/R@1",),
    "R@10 i2t": ("image_to_text/R@10",),
    "MRR": ("mean/mrr",),
    "median rank": ("text_to_image/median_rank", "image_to_text/median_rank"),
    "mAP i2i": (f"{IMAGES}/map",),
    "mAP shared": (f"{SHARED}/map",),
    "mAP codes": ("hamming/map",),
    "accuracy": ("classifier/accuracy",),
}
TRACKED = ("MRR", "mAP i2i", "mAP shared", "mAP codes")  # of the summary: what MLflow compares methods by
