"""A fingerprint tells values apart by their content, and refuses what has none."""

from functools import partial

import numpy as np
import pytest

from nncomp.activations import LeakyReLU, ReLU
from nncomp.fingerprint import fingerprint
from nncomp.losses import cross_entropy, squared_error

DIFFERENT = [
    None, True, 1, 1.0, "1", (), (1,), (1, 2), ((1,), 2), (1, "2"), {"a": 1}, {"a": 2}, {"b": 1},
    np.zeros(2), np.zeros(3), np.zeros((2, 1)), np.zeros(2, np.float32), np.array([0.0, -0.0]), np.zeros(2, int),
    ReLU(), LeakyReLU(), LeakyReLU(0.2), cross_entropy, squared_error, partial(cross_entropy, smoothing=0.1),
    partial(cross_entropy, smoothing=0.2),
]  # fmt: skip


def test_what_differs_has_another_fingerprint() -> None:
    assert len({fingerprint(value) for value in DIFFERENT}) == len(DIFFERENT)


def test_what_is_the_same_has_the_same() -> None:
    x = np.arange(6.0).reshape(2, 3)
    assert fingerprint(x) == fingerprint(np.asfortranarray(x)) == fingerprint(x.copy())
    assert fingerprint(np.float64(0.5)) == fingerprint(0.5) and fingerprint(LeakyReLU(0.01)) == fingerprint(LeakyReLU())
    assert fingerprint(1, 2) != fingerprint(12)


def test_what_has_no_content_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no content to tell it from another"):
        fingerprint(1, [object()])
