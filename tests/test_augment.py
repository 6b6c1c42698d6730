"""Pictures moved: whole, by every way alike, and the given ones left as they are."""

import numpy as np

from nncomp.augment import Jitter


def test_jitter_moves_pictures_whole_and_all_ways() -> None:
    x = np.arange(1.0, 17.0, dtype=np.float32).reshape(1, 16).repeat(400, axis=0)
    before, moved = x.copy(), Jitter(2)(x, np.random.default_rng(0))
    assert moved.dtype == x.dtype and (x == before).all()
    picture, ways = x[0].reshape(4, 4), set()
    for one in moved.reshape(-1, 4, 4):
        found = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if all(
                one[i, j] == (picture[i - down, j - right] if 0 <= i - down < 4 and 0 <= j - right < 4 else 0)
                for i in range(4)
                for j in range(4)
            )
        ]
        assert len(found) == 1
        ways.add(found[0])
    assert len(ways) == 25
