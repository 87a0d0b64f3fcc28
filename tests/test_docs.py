"""The documentation's Python examples run, one after the other, as they stand."""

import re
from pathlib import Path

import numpy as np

DOCS = Path(__file__).resolve().parent.parent / "docs"


def test_examples_of_a_new_problem(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "new-problem.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(block, names)
    assert set(np.load("pairs.npz").files) == {"image", "text"}
    told = re.findall(r"MRR (0\.\d+)", capsys.readouterr().out)
    # 500 candidates: chance is an MRR of .014.
    assert len(told) == 2
    assert min(map(float, told)) > 0.3, told
