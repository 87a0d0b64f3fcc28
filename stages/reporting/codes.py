"""The chart of binary codes: what lies within how many bits."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from kith.plots import codes as code_plots
from stages import files, params


def charts(study: params.Study, board: pd.DataFrame, runs: Path) -> dict[str, Figure]:
    """Of one split: precision over recall by Hamming radius; nothing without methods that make codes."""
    if "hamming/map" not in board or board["hamming/map"].isna().all():
        return {}
    split = board["split"].iloc[0]
    able = set(board.loc[board["hamming/map"].notna(), "method"])
    curves = []
    for method in study.methods:
        for seed in study.seeds if method in able else ():
            entry = files.read_json(runs / f"{method}-{seed}" / "metrics.json")["splits"][split]
            curve = pd.DataFrame(entry["by_radius"], dtype=float).rename_axis("radius").reset_index()
            curves.append(curve.assign(method=method, seed=seed))
    return {"codes": code_plots.radius_curves(pd.concat(curves, ignore_index=True), study.methods)}
