"""Random parts of pictures: where they lie, by which law, and what a training makes of them."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kith.data.photos import PhotoWriter
from kith.data.shards import INDEX
from kith.models import DualEncoder
from kith.store.inputs import ArrayInput, PhotoInput
from kith.store.photos import Photos
from kith.training import devices, reading
from kith.training.crops import DRAWS, RATIO, Crops
from kith.training.loop import batches_of, fit
from kith.training.options import Augment, TrainingConfig
from kith.training.reading import read, with_workers
from tests.made import model_and_objective, pair_data
from tests.made_photos import encode, photograph

CONFIG = TrainingConfig(epochs=2, batch_size=48, lr=5e-3, augment=Augment(flip=True, resized_crop=(0.3, 1.0)))


def fabric():
    return devices.fabric(threads=1, device="cpu", devices=1, precision="32")


def draws(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, DRAWS))


sides, uniform = st.integers(1, 3000), st.floats(0, 1, exclude_max=True)
numbers = st.lists(uniform, min_size=DRAWS, max_size=DRAWS).map(lambda row: np.array([row]))


@given(sides, sides, numbers)
def test_a_rectangle_lies_in_the_picture(width, height, drawn):
    for crops in (Crops(8, resized=(0.08, 1.0)), Crops(8, zoom=(8, 20))):
        left, top, right, bottom = crops.parts(drawn)(0, width, height)
        assert 0 <= left < right <= width + 1e-6
        assert 0 <= top < bottom <= height + 1e-6


def test_rectangles_have_areas_and_proportions_of_the_range():
    part = Crops(8, resized=(0.2, 0.5)).parts(draws(4000))
    left, top, right, bottom = np.array([part(place, 640, 480) for place in range(4000)]).T
    area, ratio = (right - left) * (bottom - top) / (640 * 480), np.log((right - left) / (bottom - top))
    assert 0.198 < area.min() < 0.21
    assert 0.48 < area.max() < 0.502
    assert abs(area.mean() - 0.35) < 0.01
    assert math.log(RATIO[0]) - 0.01 < ratio.min() < -0.27
    assert abs(ratio.mean()) < 0.02
    # They lie anywhere.
    assert abs(np.corrcoef(left / (640 - (right - left)), area)[0, 1]) < 0.05
    assert abs((left / (640 - (right - left))).mean() - 0.5) < 0.02
    assert abs((top / (480 - (bottom - top))).mean() - 0.5) < 0.02


def test_where_no_rectangle_fits_the_middle_is_taken():
    assert Crops(8, resized=(1.0, 1.0)).parts(draws(1))(0, 1000, 100) == (433, 0, 566, 100)
    assert Crops(8, resized=(1.0, 1.0)).parts(draws(1))(0, 100, 1000) == (0, 433, 100, 566)


def test_the_shorter_side_is_drawn_uniformly():
    part = Crops(224, zoom=(256, 480)).parts(draws(4000))
    left, top, right, bottom = np.array([part(place, 960, 720) for place in range(4000)]).T
    np.testing.assert_allclose(right - left, bottom - top, rtol=0.005)
    short = np.rint(224 * 720 / (bottom - top))
    assert (short.min(), short.max()) == (256, 480)
    assert abs(short.mean() - 368) < 3
    assert abs((left / (960 - (right - left))).mean() - 0.5) < 0.02


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"zoom": (256, 480)}, "augment.zoom needs augment.crop"),
        ({"zoom": (200, 480), "crop": 224}, "augment.zoom needs augment.crop, .* at most 200 pixels"),
        ({"zoom": (480, 256), "crop": 224}, "augment.zoom: 480 is more than 256"),
        ({"resized_crop": (1.0, 0.1)}, "augment.resized_crop: 1.0 is more than 0.1"),
        ({"resized_crop": (0.1, 1.0), "zoom": (256, 480), "crop": 224}, "two ways to cut out a part"),
    ],
)
def test_options_that_contradict_each_other(options, message):
    with pytest.raises(ValueError, match=message):
        Crops.of(Augment(**options), 256)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same pictures as an array and as photographs."""
    data, vocabulary = pair_data()
    folder = tmp_path_factory.mktemp("photos")
    with PhotoWriter(folder, 16, "RGB", 64) as writer:
        rows = np.array([writer.append(picture) for picture in data.image.array])
    photos = Photos(folder, np.load(folder / INDEX), 16)
    return data, dataclasses.replace(data, image=PhotoInput(photos, rows)), vocabulary


def trained(data, vocabulary, config, **options) -> tuple[list, dict]:
    model, objective = model_and_objective(len(vocabulary), {"info_nce": {}, "angular_image": {}})
    torch.manual_seed(0)
    model = DualEncoder(model.config | {"image": model.config["image"] | {"crop": config.augment.crop}})
    return fit(model, objective, data, config, fabric(), **options), model.state_dict()


def equal(one: tuple, other: tuple) -> bool:
    return one[0] == other[0] and all(torch.equal(value, other[1][name]) for name, value in one[1].items())


@pytest.mark.parametrize(
    "augment",
    [
        Augment(),
        CONFIG.augment,
        Augment(crop=12),
        Augment(zoom=(14, 24), crop=12, erase=0.5),
        Augment(resized_crop=(0.3, 1), crop=8),
    ],
)
def test_training_on_photographs_is_training_on_the_array(both, augment):
    array, photos, vocabulary = both
    config = dataclasses.replace(CONFIG, augment=augment)
    assert equal(trained(array, vocabulary, config), trained(photos, vocabulary, config))


def test_the_number_of_workers_changes_nothing(both):
    _, photos, vocabulary = both
    results = [trained(photos, vocabulary, dataclasses.replace(CONFIG, workers=n)) for n in (None, 0, 1, 3)]
    assert all(equal(results[0], each) for each in results[1:])
    array = trained(both[0], vocabulary, dataclasses.replace(CONFIG, workers=2))
    assert equal(results[0], array)
    other = trained(photos, vocabulary, dataclasses.replace(CONFIG, seed=1))
    assert not equal(results[0], other)


def test_a_resumed_training_ends_with_the_same_bytes(both):
    _, photos, vocabulary = both
    states = []
    whole = trained(photos, vocabulary, CONFIG, on_checkpoint=lambda state: states.append(_kept(state)))
    assert equal(whole, trained(photos, vocabulary, CONFIG, resume=states[0]))


def _kept(state):
    import copy

    return copy.deepcopy(state)


def tensors(data, config, epoch=1, neighbors=False):
    data = with_workers(data, config, 1)
    return [batch[0] for batch in read(data, batches_of(data, config).epoch(epoch), neighbors, config, fabric(), epoch)]


def test_parts_are_drawn_anew_in_every_epoch_and_step(both):
    _, photos, _ = both
    config = dataclasses.replace(CONFIG, batch_size=24)
    first, again, second = tensors(photos, config), tensors(photos, config), tensors(photos, config, epoch=2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], second[0])
    part = [crop.tobytes() for batch in first for crop in batch.numpy()]
    assert len(set(part)) == len(part)


def test_neighbours_get_parts_of_their_own(both):
    array, photos, _ = both
    for data in (array, photos):
        (first, *_) = tensors(data, CONFIG, neighbors=True)
        assert first.shape == (2 * 42, 16, 16, 3)
    one, other = (tensors(data, CONFIG, neighbors=True) for data in (array, photos))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_processes_share_what_one_would_draw(both):
    _, photos, _ = both

    class Rank:
        world_size, device = 2, torch.device("cpu")

        def __init__(self, global_rank):
            self.global_rank = global_rank

    data = with_workers(photos, CONFIG, 2)
    batches = batches_of(data, CONFIG).epoch(1)
    (whole, *_), halves = (
        [batch[0] for batch in read(data, batches, True, CONFIG, fabric(), 1)],
        [next(read(data, batches, True, CONFIG, Rank(rank), 1))[0] for rank in (0, 1)],
    )
    count = len(batches[0])
    for rank, half in enumerate(halves):
        expected = torch.cat([whole[:count][rank::2], whole[count:][rank::2]])
        assert torch.equal(half, expected)


def test_batches_are_read_ahead_but_not_far(both, monkeypatch):
    _, photos, _ = both
    config, taken = dataclasses.replace(CONFIG, batch_size=8), []
    take = PhotoInput.take_parts
    monkeypatch.setattr(PhotoInput, "take_parts", lambda *given: (taken.append(1), take(*given))[1])
    data = with_workers(photos, config, 1)
    batches = batches_of(data, config).epoch(1)
    assert len(batches) > reading.AHEAD + 3
    running = read(data, batches, False, config, fabric(), 1)
    next(running)
    running.close()  # waits for what has begun
    assert 1 <= len(taken) <= reading.AHEAD + 1


def test_workers_by_default(both, monkeypatch):
    array, photos, _ = both
    monkeypatch.setattr(reading, "cores", lambda: 8)
    plain = dataclasses.replace(CONFIG, augment=Augment())
    assert with_workers(array, plain, 1).image.workers == 0
    assert with_workers(array, CONFIG, 1).image.workers == 8
    assert with_workers(photos, plain, 2).image.workers == 4
    assert with_workers(photos, plain, 16).image.workers == 1
    assert with_workers(photos, dataclasses.replace(plain, workers=0), 1).image.workers == 0


def test_larger_stored_photographs_give_finer_parts(tmp_path):
    fine = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    with PhotoWriter(tmp_path, 16, "RGB", 64) as writer:
        writer.append(fine)
        writer.append(encode(photograph(64, 48), quality=100))
    photos = PhotoInput(Photos(tmp_path, np.load(tmp_path / INDEX), 16), np.arange(2))
    exact = photos.take_parts(np.array([0]), 16, lambda place, width, height: (8, 8, 24, 24))
    np.testing.assert_array_equal(exact[0], fine[8:24, 8:24])
    array = ArrayInput(photos.array[:], np.arange(2))
    assert array.take_parts(np.array([0]), 16, lambda place, width, height: (2, 2, 6, 6)).shape == (1, 16, 16, 3)
