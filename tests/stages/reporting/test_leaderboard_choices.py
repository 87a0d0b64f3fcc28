"""Methods chosen by the validation split."""

import pandas as pd
import pytest

from kith.errors import KithError
from stages import params
from stages.reporting.choices import choices, chosen
from tests.made_runs import PARAMS

BOARDS = {
    "test": pd.DataFrame(
        {"method": ["good", "fair", "bad"], "mean/mrr": [0.5, 0.4, 0.3], "hamming/map": [0.1, 0.2, 0.3]}
    ),
    "val": pd.DataFrame(
        {"method": ["good", "fair", "bad"], "mean/mrr": [0.4, 0.6, 0.2], "hamming/map": [0.3, 0.2, None]}
    ),
}


def settings(methods=("good", "fair", "bad"), **choose) -> params.Params:
    study = PARAMS["study"] | {"methods": list(methods)}
    return params.check({**PARAMS, "study": study, "compare": {"choose": choose}})


def test_the_best_of_the_validation_split_is_chosen_and_only_its_test_figure_is_given():
    found = choices(BOARDS, settings(margin={"methods": ["good", "fair", "bad"]}))
    assert found["by"].unique().tolist() == ["mean/mrr"]
    assert found["val"].tolist() == [0.4, 0.6, 0.2]
    assert found["test"].dropna().tolist() == [0.4]
    assert found.loc[found["test"].notna(), "method"].item() == "fair"


def test_a_choice_may_name_its_figure():
    found = choices(BOARDS, settings(bits={"methods": ["good", "fair"], "by": "hamming/map"}))
    assert found.loc[found["test"].notna(), "method"].item() == "good"
    assert found["test"].dropna().tolist() == [0.1]


def test_methods_outside_the_study_are_left_out():
    found = choices(BOARDS, settings(["good", "bad"], margin={"methods": ["good", "fair", "bad"]}))
    assert found["method"].tolist() == ["good", "bad"]
    assert choices(BOARDS, settings(["bad"], margin={"methods": ["good", "fair"]})).empty
    assert choices(BOARDS, settings()).empty


@pytest.mark.parametrize(
    ("boards", "choice", "said"),
    [
        ({"test": BOARDS["test"]}, {"methods": ["good", "bad"]}, r"compare\.choose\.margin: there is no metric"),
        (BOARDS, {"methods": ["good", "bad"], "by": "hamming/map"}, r"no hamming/map of all its methods"),
        (BOARDS, {"methods": ["good", "bad"], "by": "hamming/mop"}, r"no hamming/mop .* name val in embed\.splits"),
    ],
)
def test_without_the_figure_there_is_no_choice(boards, choice, said):
    with pytest.raises(KithError, match=said):
        choices(boards, settings(margin=choice))


def test_choices_are_among_methods():
    with pytest.raises(KithError, match=r"compare\.choose\.margin names 'nope'"):
        settings(margin={"methods": ["good", "nope"]})


def test_the_section_of_the_leaderboard():
    section = chosen(BOARDS, settings(margin={"methods": ["good", "fair"]}))
    assert section[0] == "## Chosen on validation"
    assert section[-1].splitlines()[2:] == [
        "| margin | MRR | good | 0.400 |  |",
        "| margin | MRR | **fair** | 0.600 | 0.400 |",
    ]
    assert chosen(BOARDS, settings()) == []
