"""Images for the studies: parts that do not overlap, one test, wrong labels where they are asked for, maps of ink."""

import numpy as np
import pytest

from regbook import datasets
from regstudy.problems import images


def rng(seed=5):
    return np.random.default_rng(seed)


def test_training_validation_and_test_images_do_not_overlap():
    one, other = (images.rows(rng(seed), 300, 200) for seed in (1, 2))
    assert [len(part) for part in one] == [300, 200, images.TEST]
    assert len(set(np.concatenate(one))) == 300 + 200 + images.TEST
    np.testing.assert_array_equal(one[2], other[2])
    assert not np.array_equal(one[0], other[0])
    drawn = images.classed(rng(), train=50, validation=40, test=30)
    assert len(set(drawn[2].rows) & set(one[2])) == 30
    assert len(set(np.concatenate([part.rows for part in drawn]))) == 120


@pytest.mark.parametrize("wrong", [0.0, 0.3])
def test_labels_are_wrong_in_training_alone(wrong):
    right = datasets.mnist().y
    parts = images.labelled(rng(), train=200, validation=100, wrong=wrong)
    shares = [(part.y != right[part.rows]).mean() for part in parts]
    assert shares == pytest.approx([wrong, 0, 0])
    assert all(part.x is parts[0].x for part in parts)


def test_ink_is_where_a_block_has_a_dark_pixel():
    clean = images.strokes(rng(), train=6, validation=5, test=4, noise=0.0)
    noisy = images.strokes(rng(), train=6, validation=5, test=4, noise=0.5)
    for part, other, count in zip(clean, noisy, (6, 5, 4), strict=True):
        assert part.x.shape == (count, 28, 28, 1)
        assert part.y.shape == (count, 14, 14)
        for image, row, column in np.ndindex(2, 14, 14):
            block = part.x[image, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            assert part.y[image, row, column] == (block > 0.5).any()
        assert other.x.shape == part.x.shape
    np.testing.assert_array_equal(clean[0].y, noisy[0].y)
    assert (noisy[0].x - clean[0].x).std() == pytest.approx(0.5, rel=0.05)


def test_maps_to_classify_are_nearly_standardized():
    x = images.classed(rng(), train=10, validation=10, test=10)[0].x
    assert x.shape == (5000, 28, 28, 1)
    assert abs(x.mean()) < 0.02
    assert x.std() == pytest.approx(1, abs=0.02)
