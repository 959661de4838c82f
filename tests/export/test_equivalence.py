"""The images on which SavedModels and ONNX files are compared with Keras, and how."""

import numpy as np
import pytest

from keras_hrnet.export.equivalence import compare, verification_batches
from keras_hrnet.export.serving import ServingOptions

pytestmark = pytest.mark.once

LOGITS = np.array([[[[10, 0, -2], [0, 4, 3]]]], dtype=np.float32)


def test_without_data_an_even_and_an_odd_size_are_taken_where_any_goes():
    made = verification_batches(ServingOptions())
    assert [(x.shape, x.dtype) for x in made] == [((2, 96, 128, 3), np.uint8), ((1, 101, 139, 3), np.uint8)]
    assert [x.shape for x in verification_batches(ServingOptions((33, None), 3))] == [(3, 33, 128, 3), (3, 33, 139, 3)]


def test_the_first_four_images_are_taken_as_they_are_batched_and_no_more_is_read():
    given = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)

    def dataset():
        for start in (0, 3):
            yield given[start : start + 3].astype("float32"), np.zeros((3, 4, 5), np.uint8)
        raise AssertionError("read too far")

    first, second = verification_batches(ServingOptions(), dataset())
    np.testing.assert_array_equal(first, given[:3])
    np.testing.assert_array_equal(second, given[3:4])


def test_a_fixed_batch_is_filled_up():
    given = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)
    first, second = verification_batches(ServingOptions((4, 5), 2), given)
    np.testing.assert_array_equal(first, given[:2])
    np.testing.assert_array_equal(second, given[[2, 0]])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 8, 8, 3)), r"images of shape \(1, 8, 8, 3\). Expected \(num_images, 16, any, 3\)"),
        (np.zeros((16, 24, 3)), r"images of shape \(16, 24, 3\)"),
        (np.full((1, 16, 24, 3), 0.5, np.float32), r"float32 values in \[0.5, 0.5\]. Expected RGB in \[0, 255\]"),
        (np.full((1, 16, 24, 3), -1.0), r"values in \[-1, -1\]"),
        (np.full((1, 16, 24, 3), np.nan), r"values in \[nan, nan\]"),
        ([], r"without images"),
        (np.zeros((0, 16, 24, 3)), r"without images"),
    ],
)
def test_images_that_do_not_go_with_the_options_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        verification_batches(ServingOptions((16, None)), images)


def test_differences_are_of_all_logits():
    moved = LOGITS.copy()
    moved[0, 0, 1] = (0, 3.5, 3.52)  # The second pixel's label becomes another.
    with pytest.raises(RuntimeError, match=r"off by 0.52 in a logit, with 75.000 % .*Expected at most 0.05"):
        compare([LOGITS, moved], [LOGITS, LOGITS])
    moved[0, 0, 1] = (0.04, 4, 3)
    difference = compare([LOGITS, moved], [LOGITS, LOGITS])
    assert difference.largest == pytest.approx(0.04)
    assert difference.mean == pytest.approx(0.04 / 12)
    assert difference.label_agreement == 1


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_logit_that_is_not_finite_is_refused(wrong):
    moved = LOGITS.copy()
    moved[0, 0, 0, 1] = wrong
    with pytest.raises(RuntimeError, match=r"No file was kept"):
        compare([moved], [LOGITS])


def test_an_answer_of_another_shape_or_dtype_is_refused():
    with pytest.raises(RuntimeError, match=r"float32 of shape \(1, 1, 1, 3\) where Keras gives float32 of shape"):
        compare([LOGITS[:, :, :1]], [LOGITS])
    with pytest.raises(RuntimeError, match=r"answers float64 of shape"):
        compare([LOGITS.astype(np.float64)], [LOGITS])
