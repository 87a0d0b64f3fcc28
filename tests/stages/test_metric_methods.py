"""Methods of pairs and triplets, through the real stages."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from kith import models
from kith.errors import KithError
from stages import params, train
from tests.stages.test_class_methods import classes, metrics_of
from tests.stages.test_train_stage import INPUTS, edit, outputs
from tests.stages.tracking.test_tracking import run_method

__all__ = ["classes"]

LEARNED = {
    "triplet_semihard": {},
    "dtsh": {"losses": {"dtsh": {"schedule": "margin", "quantization": 0.01}}, "train": {"dim": 16}},
}


def test_mined_methods_learn(classes):
    edit(study={"methods": list(LEARNED)}, methods=LEARNED, train={"epochs": 8})
    for method in LEARNED:
        run = run_method(method)
        # Six classes of four pictures: an order at random has an MRR of about .35.
        assert metrics_of(run)["image_to_image/mrr"] > 0.5, method
        history = pd.read_parquet(run / "history.parquet")
        assert history["train_active"].between(0, 1).all()
        assert (history["train_mined"] > 0).any()
    dtsh = pd.read_parquet("runs/shapes/dtsh-0/history.parquet")
    assert np.isfinite(dtsh["train_dtsh"]).all()


OTHERS = ["triplet_all", "triplet_hardest", "triplet_random", "batch_hard", "hoffer_ailon", "contrastive"]
OTHERS += ["npairs_class", "proxy_anchor", "multi_similarity", "supcon"]


def test_every_metric_preset_trains(classes):
    edit(study={"methods": OTHERS}, methods={name: {} for name in OTHERS}, train={"epochs": 2})
    for method in OTHERS:
        train.main(method=method, seed=0, **INPUTS, **outputs(f"{method}-0"))
        history = pd.read_parquet(f"runs/shapes/{method}-0/history.parquet")
        assert history["train_loss"].iloc[1] < history["train_loss"].iloc[0], method
        assert ("train_active" in history) == (method not in OTHERS[6:]), method


def test_classes_with_few_pictures_are_reported(classes, capsys):
    edit(methods={"triplet_semihard": {"train": {"items_per_class": 100, "epochs": 1}}})
    train.main(method="triplet_semihard", seed=0, **INPUTS, **outputs("triplet_semihard-0"))
    assert "'bar'" in (said := capsys.readouterr().out)
    assert "fewer than 100 pictures" in said
    assert models.load(Path("runs/shapes/triplet_semihard-0/model.pt"))


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ({"preset": "infonce", "train": {"sampler": "balanced"}}, "train.sampler: balanced needs a loss of classes"),
        ({"preset": "triplet_all", "losses": {"triplet": {"mining": "hard"}}}, "losses.triplet.mining: Input should"),
        ({"preset": "infonce", "train": {"sampler": "pairs"}}, "train.sampler: pairs needs a loss of classes"),
        (
            {"preset": "siamese", "train": {"sampler": "triplets"}},
            "contrastive.mining: given .* take train.sampler: pa",
        ),
        (
            {"preset": "triplet_given", "train": {"sampler": "shuffled"}},
            "triplet.mining: given .* train.sampler: tripl",
        ),
        (
            {"preset": "triplet_given", "train": {"devices": 2}},
            "mining: given is for one device; take train.devices: 1",
        ),
        ({"preset": "triplet_given", "losses": {"triplet": {"bank": 9}}}, "losses.triplet.bank is for triplets that"),
        ({"preset": "triplet_all", "losses": {"triplet": {"margin": 0}}}, "losses.triplet.margin"),
    ],
)
def test_parts_that_do_not_fit_are_named(study, method, said):
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["methods"]["odd"] = method
    with pytest.raises(KithError, match=said):
        params.check(content)


def test_a_library_loss_that_does_not_exist_is_named(classes):
    edit(methods={"odd": {"losses": {"metric_learning": {"name": "ProxyAnker"}}}})
    with pytest.raises(KithError, match="no loss 'ProxyAnker'; there are Angular, ArcFace"):
        train.main(method="odd", seed=0, **INPUTS, **outputs("odd-0"))
