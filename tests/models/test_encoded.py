"""What is done to the features of frozen encoders, against scikit-learn and by what it is for."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from kith.models.code_heads import ItqHead, RandomHead
from kith.models.encoded import EncodedFeatures
from kith.models.features import feature_tower

FEATURES = np.random.default_rng(0).normal(size=(200, 6)) @ np.random.default_rng(1).normal(size=(6, 6)) + 3


@pytest.mark.parametrize("log1p", [False, True])
def test_standardised_as_by_scikit_learn(log1p):
    layer = EncodedFeatures(6, log1p=log1p)
    layer.fit(torch.from_numpy(FEATURES))
    bent = np.sign(FEATURES) * np.log1p(np.abs(FEATURES)) if log1p else FEATURES
    np.testing.assert_allclose(layer(torch.from_numpy(FEATURES)), StandardScaler().fit_transform(bent), atol=1e-5)


def test_whitened_as_by_scikit_learn_but_for_signs():
    layer = EncodedFeatures(6, pca=3)
    layer.fit(torch.from_numpy(FEATURES))
    found = layer(torch.from_numpy(FEATURES)).numpy()
    expected = PCA(3, whiten=True).fit_transform(FEATURES) * np.sqrt(200 / 199)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-4)


@given(st.integers(1, 5))
def test_a_feature_that_is_always_the_same_becomes_zero(value):
    layer = EncodedFeatures(2)
    layer.fit(torch.tensor([[value, 0.0], [value, 1.0]]))
    assert layer(torch.tensor([[value, 1.0]])).tolist() == [[0.0, 1.0]]


def test_more_components_than_features_are_refused():
    with pytest.raises(ValueError, match=r"encoded\.pca: 7 components of 6 features"):
        EncodedFeatures(6, pca=7)
    with pytest.raises(ValueError, match="itq makes at most as many bits"):
        ItqHead(6, 7)


def test_itq_loses_less_by_taking_signs_than_components_alone():
    features = torch.from_numpy(FEATURES)
    torch.manual_seed(0)
    head = ItqHead(6, 4)
    head.fit(features)
    centred = features - features.mean(dim=0)
    components = torch.from_numpy(PCA(4).fit(FEATURES).components_.T)

    def loss(rows: torch.Tensor) -> float:
        return float((rows - torch.where(rows >= 0, 1.0, -1.0)).square().mean())

    found = head(features.float()).double()
    assert loss(found) < loss(centred @ components)
    # A rotation of the components: lengths stay.
    torch.testing.assert_close(found.norm(dim=1), (centred @ components).norm(dim=1), atol=1e-4, rtol=1e-4)


def test_random_codes_keep_what_is_near():
    torch.manual_seed(0)
    head = RandomHead(6, 512)
    head.fit(torch.from_numpy(FEATURES))
    rows = torch.from_numpy(FEATURES[:1]).float()
    near, far = rows + 0.01, -rows
    same = [(head(rows).sign() == head(each).sign()).float().mean().item() for each in (near, far)]
    assert same[0] > 0.95 > same[1]


def test_the_residual_tower_starts_near_its_linear_layer():
    tower = feature_tower("residual", (6,), hidden=8, layers=2, width=1, dropout=0.5)
    head = tower.head(4)
    rows = torch.rand(5, 6)
    assert head(tower.eval()(rows)).shape == (5, 4)
    assert next(name for name, _ in head.named_parameters()) == "linear.weight"
    with pytest.raises(ValueError, match="dropout of features is for the towers linear and residual"):
        feature_tower("mlp", (6,), hidden=8, layers=1, width=1, dropout=0.5)
