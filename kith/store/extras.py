"""What prepare kept of a table for people alone: other columns, and pictures as they came."""

import numpy as np
import pandas as pd

from kith.data.depths import Conversion
from kith.data.shards import INDEX
from kith.errors import KithError, reading
from kith.store.photos import Photos
from kith.store.prepared import AGAIN, Prepared

EXTRAS = "extras.parquet"


def columns_of(data: Prepared) -> pd.DataFrame:
    """The other columns of the items, as texts, a row an item; none where `fetch.columns.extras` names none.

    Raises KithError where the file is missing, another, or of other items.
    """
    if EXTRAS not in data.dataset["checksums"]:
        return pd.DataFrame(index=range(len(data)))
    path = data.proved(EXTRAS)
    with reading(path, AGAIN):
        found = pd.read_parquet(path)
    if "id" not in found or not np.array_equal(found["id"].to_numpy(), data.table["id"].to_numpy()):
        raise KithError(f"{path}: is of other items than items.parquet; run the prepare stage again")
    return found.drop(columns="id")


def originals_of(data: Prepared) -> Photos | None:
    """Pictures as they came, by `image_row`, where `prepare.image.shown` keeps them beside an array; else None."""
    if "shown" not in data.dataset:
        return None
    path, image = data.proved(INDEX), data.dataset["image"]
    with reading(path, AGAIN):
        index = np.load(path, mmap_mode="r")
    if data.images is None or len(index) != len(data.images):
        raise KithError(f"{path}: is of other pictures than images.npy; run the prepare stage again")
    mode = "L" if image["channels"] == 1 else "RGB"
    return Photos(data.folder, index, data.dataset["shown"]["short_side"], mode, "pad", Conversion.of(image))
