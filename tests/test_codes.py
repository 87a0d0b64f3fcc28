"""Binary codes against their definition written with loops."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kith import codes
from kith.errors import KithError
from kith.models.relaxation import straight_through_sign, tanh_relaxation

sizes = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 12), st.integers(1, 300))


def random_codes(seed: int, n: int, bits: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(np.array([-1, 1], dtype=np.int8), (n, bits))


def test_zero_of_either_sign_is_plus_one():
    values = np.array([[0.0, -0.0, 1e-30, -1e-30, -np.inf]])
    assert codes.sign_codes(values).tolist() == [[1, 1, 1, -1, -1]]
    assert codes.sign_codes(torch.tensor(values)).dtype == np.int8
    with pytest.raises(KithError, match="values: row 1 has a NaN"):
        codes.sign_codes([[0.0], [np.nan]])


def test_packed_bits_by_hand():
    row = np.array([[1, -1, -1, 1, -1, -1, -1, -1, 1, 1]])
    assert codes.pack(row, np.uint8).tolist() == [[0b00001001, 0b11]]
    assert codes.pack(row).tolist() == [[0b1100001001]]
    assert codes.pack(row > 0).tolist() == [[0b1100001001]]


@given(sizes)
def test_unpacking_gives_the_codes_again_and_distances_are_counts_of_differences(case):
    seed, n, m, bits = case
    first, second = random_codes(seed, n, bits), random_codes(seed + 1, m, bits)
    expected = (first[:, None] != second[None]).sum(axis=2)
    for dtype in (np.uint8, np.uint64):
        packed = [codes.pack(each, dtype) for each in (first, second)]
        np.testing.assert_array_equal(codes.unpack(packed[0], bits), first)
        np.testing.assert_array_equal(codes.hamming_distances(*packed), expected)
    found = codes.hamming_distances(first, second)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == (np.uint8 if bits < 256 else np.uint16)


def test_distances_of_long_codes_do_not_overflow():
    ones = np.ones((1, 700), dtype=np.int8)
    assert codes.hamming_distances(ones, -ones).tolist() == [[700]]
    assert codes.hamming_distances(ones[:, :255], -ones[:, :255]).tolist() == [[255]]


def test_blocks_do_not_change_distances(monkeypatch):
    first, second = random_codes(0, 20, 48), random_codes(1, 30, 48)
    whole = codes.hamming_distances(first, second)
    monkeypatch.setattr(codes, "CACHED", 70)
    np.testing.assert_array_equal(codes.hamming_distances(first, second), whole)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: codes.pack([[1, -1], [1, 0]]), "codes: row 1 is not all ±1"),
        (lambda: codes.pack([1, -1]), r"expected an \(n, bits\) matrix"),
        (lambda: codes.pack([[1.0, np.nan]]), "codes: row 0 is not all ±1"),
        (lambda: codes.pack([[1]], np.uint16), "uint8 or uint64"),
        (lambda: codes.unpack(np.zeros((1, 1), np.uint8), 9), "9 do not fit packed codes of 8 bits"),
        (lambda: codes.unpack(np.zeros((1, 1), np.int64), 9), "expected .* uint8 or uint64"),
        (lambda: codes.hamming_distances([[1, 1]], [[1]]), "different lengths: 2 and 1"),
    ],
)
def test_what_is_no_code_is_named(call, said):
    with pytest.raises(KithError, match=said):
        call()


def test_relaxations_and_their_gradients():
    values = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0], requires_grad=True)
    hard = straight_through_sign(values)
    assert hard.tolist() == [-1, -1, 1, 1, 1]
    (gradient,) = torch.autograd.grad((hard * torch.arange(5.0)).sum(), values)
    assert gradient.tolist() == [0, 1, 2, 3, 0]  # none beyond ±1
    soft = tanh_relaxation(values, 3.0)
    torch.testing.assert_close(soft, torch.tanh(3 * values))
    (gradient,) = torch.autograd.grad(soft.sum(), values)
    torch.testing.assert_close(gradient, 3 * (1 - soft.detach() ** 2))
    torch.testing.assert_close(tanh_relaxation(values[[0, 1, 3, 4]], 1e4), hard[[0, 1, 3, 4]])
