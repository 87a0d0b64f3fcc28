"""What findings cost: metrics with and without the queries that they concern."""

import pandas as pd

METRICS = {"mrr": "reciprocal_rank", "map": "average_precision"}


def costs(found: pd.DataFrame, queries: pd.DataFrame) -> pd.DataFrame:
    """One row a kind of finding, split and direction: mean of each metric over all queries, and over those whose item
    is in no finding of that kind.

    found: kind, row and other_row of findings. queries: split, direction, row, reciprocal_rank and average_precision
    of one run (what the evaluate stage writes). The affected items stay among the answers. Columns: kind, split,
    direction, queries, affected, mrr, mrr_without, map, map_without; NaN where a metric is not known, or no query is
    left. Kinds that concern no query of a split are left out.

    >>> found = pd.DataFrame({"kind": ["outlier"], "row": [1], "other_row": [-1]})
    >>> asked = {"split": "test", "direction": "text_to_image", "row": [0, 1], "reciprocal_rank": [1.0, 0.5]}
    >>> told = costs(found, pd.DataFrame(asked).assign(average_precision=[0.2, 0.4]))
    >>> told[["affected", "mrr", "mrr_without", "map", "map_without"]].values.tolist()
    [[1.0, 0.75, 1.0, 0.30000000000000004, 0.2]]
    """
    rows = []
    for kind, part in found.groupby("kind", sort=False):
        concerned = queries["row"].isin(set(part["row"]) | set(part["other_row"]))
        for (split, direction), asked in queries.groupby(["split", "direction"], sort=False):
            affected = concerned[asked.index]
            if not affected.any():
                continue
            told = {"kind": kind, "split": split, "direction": direction}
            told |= {"queries": len(asked), "affected": int(affected.sum())}
            for name, column in METRICS.items():
                told |= {name: asked[column].mean(), f"{name}_without": asked[column][~affected].mean()}
            rows.append(told)
    names = ["kind", "split", "direction", "queries", "affected", "mrr", "mrr_without", "map", "map_without"]
    return pd.DataFrame(rows, columns=names)
