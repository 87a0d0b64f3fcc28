"""Means and deviations of pictures that networks were published with, by name, in the place of those of the data."""

from typing import Any, NamedTuple

WHITE = 255


class Statistics(NamedTuple):
    """Of each channel, of values from 0 to 255; order: of the channels as the network sees them."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    order: str = "rgb"


# The first four: Barz & Denzler, "Hierarchy-based Image Embeddings for Semantic Image Retrieval", WACV 2019, with their
# models; caffe: ImageNet's mean as networks of Caffe take it off, blue first, and nothing is divided.
PUBLISHED = {
    "cifar100": Statistics((129.30386353, 124.06987, 112.43356323), (68.17019653, 65.39176178, 70.4180603)),
    "nabirds": Statistics((125.30513277, 129.66606421, 118.45121113), (57.0045467, 56.70059436, 68.44430446)),
    "cub": Statistics((123.82988033, 127.35116805, 110.25606303), (59.2230949, 58.0736071, 67.80251684)),
    "ilsvrc": Statistics((122.65435242, 116.6545058, 103.99789959), (71.40583196, 69.56888997, 73.0440314)),
    "caffe": Statistics((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), "bgr"),
}


def standardisation(name: str, channels: int) -> dict[str, Any]:
    """What a model's config says of these statistics: mean and std of values from 0 to 1, and the order of the
    channels where it is not red, green, blue. Raises ValueError for pictures without colours.

    >>> [round(255 * each, 3) for each in standardisation("caffe", 3)["mean"]], standardisation("caffe", 3)["order"]
    ([103.939, 116.779, 123.68], 'bgr')
    """
    if channels != 3:
        raise ValueError(f"image.statistics: {name} is of colours; leave it out, or set prepare.image.mode: RGB")
    mean, std, order = PUBLISHED[name]
    told: dict[str, Any] = {"mean": [each / WHITE for each in mean], "std": [each / WHITE for each in std]}
    return told if order == "rgb" else told | {"order": order}
