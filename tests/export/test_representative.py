"""The images that a file is compared on and quantized by."""

import numpy as np
import pytest

from keras_hrnet.export.options import TFLiteOptions
from keras_hrnet.export.representative import read_representative

OPTIONS = TFLiteOptions((1, 2))


def given():
    return np.random.default_rng(0).integers(0, 256, (6, 1, 2, 3), dtype=np.uint8)


def test_without_data_noise_and_gradients_of_the_size_are_taken():
    made = read_representative(TFLiteOptions((16, 24))).images
    assert (made.shape, made.dtype) == ((2, 16, 24, 3), np.uint8)
    assert (made[1].min(), made[1].max()) == (0, 255)
    np.testing.assert_array_equal(made, read_representative(TFLiteOptions((16, 24))).images)


def test_the_first_images_of_an_array_are_taken():
    taken = read_representative(OPTIONS, given())
    np.testing.assert_array_equal(taken.images, given()[:4])
    assert taken.labels is None
    np.testing.assert_array_equal(read_representative(OPTIONS, given(), number=5).first(2).images, given()[:2])


def test_the_first_four_images_of_a_dataset_are_taken_with_labels_and_no_more_is_read():
    labels = np.arange(12, dtype=np.uint8).reshape(6, 1, 2)

    def dataset():
        for start in (0, 3):
            yield given()[start : start + 3].astype("float32"), labels[start : start + 3]
        raise AssertionError("read too far")

    taken = read_representative(OPTIONS, dataset())
    np.testing.assert_array_equal(taken.images, given()[:4])
    np.testing.assert_array_equal(taken.labels, labels[:4])
    assert taken.first(1).labels.shape == (1, 1, 2)


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
        read_representative(OPTIONS, values.reshape(1, 1, 2, 3))


def test_black_images_are_pixels():
    assert read_representative(OPTIONS, np.zeros((1, 1, 2, 3), np.float32)).images.max() == 0


def test_images_of_another_size_or_none_are_refused():
    with pytest.raises(ValueError, match=r"images of shape \(1, 8, 8, 3\). Expected \(num_images, 1, 2, 3\)"):
        read_representative(OPTIONS, np.zeros((1, 8, 8, 3)))
    with pytest.raises(ValueError, match=r"without images"):
        read_representative(OPTIONS, [])
