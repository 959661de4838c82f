"""Tiles cover an image once, see one size, and begin where the network's maps do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_hrnet.evaluation.tiles import tiles, window_starts

pytestmark = pytest.mark.once


def lengths(tile):
    return tuple(part.stop - part.start for part in tile.seen)


@settings(deadline=None)
@given(
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.tuples(st.integers(20, 120), st.integers(20, 120)),
    st.integers(0, 119),
    st.sampled_from([(1.0,), (0.5, 1.0), (0.75, 1.25)]),
)
def test_every_pixel_is_kept_of_one_tile_and_lies_deep_in_it(size, tile, overlap, scales):
    overlap = min(overlap, min(tile) - 8)
    times = np.zeros(size, int)
    for part in tiles(size, tile, overlap, scales):
        times[part.kept] += 1
        assert lengths(part) == tuple(min(pair) for pair in zip(size, tile, strict=True))
        for length, seen, kept, inside in zip(size, part.seen, part.kept, part.inside, strict=True):
            assert (seen.start + inside.start, seen.start + inside.stop) == (kept.start, kept.stop)
            # At a seam, half of the overlap lies between what is kept and the tile's end.
            assert kept.start == 0 or kept.start - seen.start >= overlap // 2
            assert kept.stop == length or seen.stop - kept.stop >= overlap // 2
    assert (times == 1).all()


def test_an_image_that_is_not_larger_has_one_tile():
    (only,) = tiles((100, 200), (128, 256), 32)
    assert only.seen == only.kept == only.inside == (slice(0, 100), slice(0, 200))


def test_seams_lie_in_the_middle_of_what_two_tiles_have_in_common():
    first, second = tiles((64, 192), (64, 128), 64)
    assert [part.seen[1] for part in (first, second)] == [slice(0, 128), slice(64, 192)]
    assert [part.kept[1] for part in (first, second)] == [slice(0, 96), slice(96, 192)]


@pytest.mark.parametrize(("scales", "step"), [((1.0,), 32), ((0.5, 1.0), 64), ((0.75, 1.25, 1.75), 128), ((0.3,), 32)])
def test_tiles_begin_where_the_coarsest_branch_does_at_every_scale(scales, step):
    starts = [part.seen[1].start for part in tiles((512, 2048), (512, 512), 100, scales)]
    assert len(starts) > 3
    assert all(start % step == 0 for start in starts)


def test_windows_stand_side_by_side_and_the_last_one_is_moved_back():
    assert window_starts(1792, 1024) == [0, 768]
    assert window_starts(2048, 1024) == [0, 1024]
    assert window_starts(2500, 1024) == [0, 1024, 1476]
