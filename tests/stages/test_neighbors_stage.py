"""What the neighbors stage says of its tables."""

import numpy as np
import pandas as pd

from stages import neighbors


def test_labels_may_be_as_large_as_they_like():
    labels = np.array([3, 3, 5, -1, 5, 3])
    nearest = np.array([[1, 5], [0, 2], [4, -1], [0, 1], [2, 0], [0, 1]])
    known = neighbors._agreement(pd.DataFrame({"label": labels}), nearest)
    large = np.where(labels < 0, -1, labels * 10**10)
    assert neighbors._agreement(pd.DataFrame({"label": large}), nearest) == known
    assert known["label_agreement@10"] == 7 / 9
    assert round(known["label_agreement_by_chance"], 9) == round((3 * 2 / 5 + 2 * 1 / 5) / 5, 9)
