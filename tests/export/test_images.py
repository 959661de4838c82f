"""The images that a file is compared on and quantized by."""

import numpy as np
import pytest

from keras_hrnet.export.conversion import TFLiteOptions
from keras_hrnet.export.images import read_images
from keras_hrnet.export.options import ExportOptions

pytestmark = pytest.mark.once

OPTIONS = TFLiteOptions((1, 2))


def given():
    return np.random.default_rng(0).integers(0, 256, (6, 1, 2, 3), dtype=np.uint8)


def test_without_data_noise_and_gradients_of_the_size_are_taken():
    (made,), _ = read_images(TFLiteOptions((16, 24)))
    assert (made.images.shape, made.images.dtype, made.labels) == ((2, 16, 24, 3), np.uint8, None)
    assert (made.images[1].min(), made.images[1].max()) == (0, 255)
    np.testing.assert_array_equal(made.images, read_images(TFLiteOptions((16, 24)))[0][0].images)


def test_without_data_an_even_and_an_odd_size_are_taken_where_any_goes():
    made = [batch.images for batch in read_images(ExportOptions()).verification]
    assert [(x.shape, x.dtype) for x in made] == [((2, 96, 128, 3), np.uint8), ((1, 101, 139, 3), np.uint8)]
    made = [batch.images for batch in read_images(ExportOptions((33, None), 3)).verification]
    assert [x.shape for x in made] == [(2, 33, 128, 3), (1, 33, 139, 3)]


def test_the_first_images_of_an_array_are_taken():
    ((images, labels),), calibration = read_images(OPTIONS, given())
    np.testing.assert_array_equal(images, given()[:4])
    assert labels is None
    assert calibration is None


@pytest.mark.parametrize(
    ("precision", "number", "verification", "calibration"),
    [
        ("float32", 70, range(4), None),
        ("dynamic", 70, range(4), None),
        ("int8", 70, range(60, 64), range(60)),
        ("mixed", 9, range(7, 9), range(7)),
        ("int16x8", 2, range(1, 2), range(1)),
    ],
)
def test_integers_are_verified_on_images_that_calibration_did_not_see(precision, number, verification, calibration):
    images = np.random.default_rng(0).integers(0, 256, (number, 1, 2, 3), dtype=np.uint8)
    labels = np.arange(2 * number, dtype=np.uint8).reshape(number, 1, 2)
    (batch,), seen = read_images(TFLiteOptions((1, 2), precision=precision), [(images, labels)])
    np.testing.assert_array_equal(batch.images, images[list(verification)])
    np.testing.assert_array_equal(batch.labels, labels[list(verification)])
    if calibration is None:
        assert seen is None
    else:
        np.testing.assert_array_equal(seen, images[list(calibration)])


def test_repeated_images_and_those_of_one_color_verify_and_calibrate_nothing():
    photos, options = given()[:3], TFLiteOptions((1, 2), precision="int8")
    constant = np.full((1, 1, 2, 3), (9, 200, 30), np.uint8)
    (batch,), seen = read_images(options, [photos[:2], constant, (photos, None), photos[:1]])
    np.testing.assert_array_equal(seen, photos[:2])
    np.testing.assert_array_equal(batch.images, photos[2:])
    assert batch.labels is None
    for useless, kept in ((constant.repeat(8, axis=0), 0), (photos[:1].repeat(8, axis=0), 1)):
        with pytest.raises(
            ValueError, match=rf"8 images for precision='int8', of which {kept} remain.*Pass photos like"
        ):
            read_images(options, useless)


def test_the_first_four_images_of_a_dataset_are_taken_with_labels_as_they_are_batched_and_no_more_is_read():
    labels = np.arange(12, dtype=np.uint8).reshape(6, 1, 2)

    def dataset():
        for start in (0, 3):
            yield given()[start : start + 3].astype("float32"), labels[start : start + 3]
        raise AssertionError("read too far")

    first, second = read_images(OPTIONS, dataset()).verification
    np.testing.assert_array_equal(first.images, given()[:3])
    np.testing.assert_array_equal(first.labels, labels[:3])
    np.testing.assert_array_equal(second.images, given()[3:4])
    np.testing.assert_array_equal(second.labels, labels[3:4])


def test_batches_may_differ_in_size_and_have_labels_or_not():
    small, large = np.zeros((1, 4, 5, 3), np.uint8), np.zeros((2, 8, 9, 3), np.uint8)
    taken = read_images(ExportOptions(), [(small, None), large, (large, np.ones((2, 8, 9)), np.ones((2, 8, 9)))])
    assert [x.images.shape for x in taken.verification] == [(1, 4, 5, 3), (2, 8, 9, 3), (1, 8, 9, 3)]
    assert [x.labels is None for x in taken.verification] == [True, True, False]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.linspace(0, 1, 6, dtype=np.float32), r"float32 values in \[0, 1\].*Multiply them by 255"),
        (np.linspace(-2, 2.6, 6), r"values in \[-2, 2.6\]. Expected RGB in \[0, 255\].*before any normalization"),
        (np.linspace(0, 1000, 6), r"values in \[0, 1e\+03\]"),
        (np.full(6, np.nan), r"values in \[nan, nan\]"),
    ],
)
def test_what_are_no_pixels_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        read_images(OPTIONS, values.reshape(1, 1, 2, 3))


def test_black_images_are_pixels():
    assert read_images(OPTIONS, np.zeros((1, 1, 2, 3), np.float32)).verification[0].images.max() == 0


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 8, 8, 3)), r"images of shape \(1, 8, 8, 3\). Expected \(num_images, 16, any, 3\)"),
        (np.zeros((16, 24, 3)), r"images of shape \(16, 24, 3\)"),
        ([], r"without images"),
        (np.zeros((0, 16, 24, 3)), r"without images"),
    ],
)
def test_images_of_another_size_or_none_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        read_images(ExportOptions((16, None)), images)
