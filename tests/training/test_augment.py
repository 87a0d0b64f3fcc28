"""Crops and random erasing; flips, shifts, rotations and scales are tested with the models."""

import pytest
import torch

from kith.models.dual_encoder import center_crop
from kith.training.augment import augment


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def coordinates(count: int, height: int, width: int) -> torch.Tensor:
    """Pictures whose two channels are the row and the column of the pixel."""
    rows, columns = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    return torch.stack([rows, columns]).expand(count, 2, height, width)


def test_crops_are_squares_of_the_picture_at_all_places():
    crops = augment(coordinates(500, 9, 12), generator(), crop=7)
    assert crops.shape == (500, 2, 7, 7)
    corner = crops[:, :, 0, 0]
    torch.testing.assert_close(crops - corner[:, :, None, None], coordinates(500, 7, 7))
    assert set(corner[:, 0].tolist()) == {0, 1, 2}
    assert set(corner[:, 1].tolist()) == {0, 1, 2, 3, 4, 5}


def test_a_crop_of_the_whole_picture_changes_nothing():
    pictures = torch.rand(3, 1, 8, 8)
    torch.testing.assert_close(augment(pictures, generator(), crop=8), pictures, rtol=0, atol=0)


def test_the_center_crop_is_the_middle():
    assert center_crop(coordinates(1, 9, 12), 7)[0, :, 0, 0].tolist() == [1, 2]


@pytest.mark.parametrize("cut", [lambda x: augment(x, generator(), crop=9), lambda x: center_crop(x, 9)])
def test_crops_larger_than_the_picture_are_refused(cut):
    with pytest.raises(ValueError, match="9×9 from pictures of 8×12"):
        cut(torch.zeros(1, 1, 8, 12))


def test_erasing_puts_noise_into_one_rectangle_of_some_pictures():
    erased = augment(torch.zeros(400, 3, 40, 48), generator(), erase=0.5) != 0
    assert (erased == erased[:, :1]).all()
    erased = erased[:, 0]
    touched = erased.any(dim=2).any(dim=1)
    assert 160 < touched.sum() < 240
    for mask in erased[touched]:
        rows, columns = mask.any(dim=1), mask.any(dim=0)
        assert torch.equal(mask, rows[:, None] & columns[None, :])
        height, width = rows.sum().item(), columns.sum().item()
        for flags, side in ((rows, height), (columns, width)):
            assert flags.nonzero().max() - flags.nonzero().min() + 1 == side
        assert (height - 1) * (width - 1) < 0.4 * 40 * 48
        assert (height + 1) * (width + 1) > 0.02 * 40 * 48
        assert (height + 1) / width >= 0.3
        assert height / (width + 1) <= 1 / 0.3
    assert erased.any(dim=0).any(dim=0).all()  # every column, and every row
    assert erased.any(dim=0).any(dim=1).all()


def test_erasing_all_and_none():
    pictures = torch.zeros(50, 1, 30, 30)
    assert (augment(pictures, generator(), erase=1.0) != 0).flatten(1).any(dim=1).all()
    assert augment(pictures, generator(), erase=0.0) is pictures


def test_everything_repeats_with_its_seed_and_stays_channels_last():
    pictures = torch.rand(6, 3, 20, 20).contiguous(memory_format=torch.channels_last)
    amounts = {"crop": 16, "flip": True, "shift": 0.1, "erase": 0.5}
    first, again, other = (augment(pictures, generator(seed), **amounts) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.is_contiguous(memory_format=torch.channels_last)


def test_crops_and_erasing_leave_the_draws_of_the_others_alone():
    pictures = torch.rand(6, 3, 16, 16)
    plain = augment(pictures, generator(), flip=True, shift=0.1)
    erased = augment(pictures, generator(), flip=True, shift=0.1, erase=1.0)
    same = (plain == erased).float().mean()
    assert 0.4 < same < 1
