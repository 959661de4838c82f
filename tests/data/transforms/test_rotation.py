import cv2
import numpy as np
import pytest
import tensorflow as tf

from keras_hrnet.data.transforms.placement import Axis, stepped_axes
from keras_hrnet.data.transforms.rotation import Turn, inside_image, random_turn, rotated_image, rotated_label

pytestmark = pytest.mark.once


def noise(height, width, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return image, rng.integers(0, 19, (height, width), dtype=np.uint8)


def about_the_center(axes, degrees):
    middle = [tf.cast(axis.frame, tf.float64) / 2 for axis in axes]
    return Turn(tf.constant(degrees, tf.float64), *middle)


def whole(size, scale=(1, 1)):
    return [axis._replace(count=int(axis.frame)) for axis in stepped_axes(size, scale)]


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_quarter_turns_are_exact(quarters):
    image, label = noise(24, 24)
    axes = whole((24, 24))
    turn = about_the_center(axes, 90.0 * quarters)
    np.testing.assert_array_equal(rotated_image(image, *axes, turn), np.rot90(image, quarters))
    np.testing.assert_array_equal(rotated_label(label, *axes, turn), np.rot90(label, quarters))
    assert inside_image(*axes, turn).numpy().all()


def test_a_mirrored_crop_is_the_crop_mirrored():
    image, label = noise(24, 31)
    rows, columns = (axis._replace(start=3, count=17) for axis in whole((24, 31), (3, 2)))
    turn = about_the_center((rows, columns), 20.0)
    mirrored = columns._replace(mirrored=True)
    for rotated, array, tolerance in ((rotated_image, image, 1), (rotated_label, label, 0)):
        straight = np.int32(rotated(array, rows, columns, turn))
        assert np.abs(np.int32(rotated(array, rows, mirrored, turn))[:, ::-1] - straight).max() <= tolerance


@pytest.mark.parametrize("degrees", [-35.0, 10.0, 120.0])
@pytest.mark.parametrize("scale", [(7, 10), (3, 2)])
def test_it_equals_opencv_rotating_the_scaled_positions(degrees, scale):
    image, label = noise(40, 60)
    rows, columns = whole((40, 60), scale)
    turn = about_the_center((rows, columns), degrees)
    over = scale[1] / scale[0]
    # OpenCV counts from the centers of pixels, and asks for the way from the crop to the source.
    to_scaled = cv2.getRotationMatrix2D((columns.count / 2 - 0.5, rows.count / 2 - 0.5), -degrees, 1)
    to_source = np.array([[over, 0, over / 2 - 0.5], [0, over, over / 2 - 0.5], [0, 0, 1]])
    matrix = (to_source @ np.vstack([to_scaled, [0, 0, 1]]))[:2]
    x, y = np.meshgrid(np.arange(columns.count), np.arange(rows.count))
    places = np.einsum("ij,jhw->ihw", matrix, np.stack([x, y, np.ones_like(x)]))
    inside = (places >= -0.5).all(0) & (places[0] < 59.5) & (places[1] < 39.5)
    expected = cv2.remap(image.astype(np.float32), *places.astype(np.float32), cv2.INTER_LINEAR,
                         borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    difference = np.abs(np.float32(rotated_image(image, rows, columns, turn)) - expected)
    # OpenCV's remap has positions of 1/32 pixel.
    assert difference.max() < 0.5 + 2 * 255 / 32
    assert difference.mean() < 2
    nearest = np.rint(places).astype(int)
    sure = inside & (np.abs(places - nearest) < 0.499).all(0)
    result = rotated_label(label, rows, columns, turn).numpy()
    np.testing.assert_array_equal(result[sure], label[nearest[1][sure], nearest[0][sure]])
    assert (inside_image(rows, columns, turn).numpy() != inside).mean() < 0.001


def test_a_window_has_the_values_of_the_whole():
    image, label = noise(40, 60)
    axes = whole((40, 60), (13, 10))
    turn = about_the_center(axes, 15.0)
    window = [axis._replace(start=start, count=count) for axis, start, count in zip(axes, (9, 21), (20, 30))]  # noqa: B905
    for rotated, array, tolerance in ((rotated_image, image, 1), (rotated_label, label, 0)):
        expected = np.int32(rotated(array, *axes, turn))[9:29, 21:51]
        assert np.abs(np.int32(rotated(array, *window, turn)) - expected).max() <= tolerance


class TestRandomTurn:
    def test_angles_to_both_sides_occur(self):
        turn = tf.function(lambda i: random_turn(*whole((20, 30)), largest=10.0, seed=tf.stack([i, 0])).degrees)
        degrees = np.array([turn(tf.constant(i, tf.int64)) for i in range(100)])
        assert -10 <= degrees.min() < -8
        assert 8 < degrees.max() <= 10

    def test_the_center_or_the_focus_stays_in_its_place(self):
        axes = [Axis(20, 40, 2, 1), Axis(30, 60, 2, 1)]
        arguments = dict(largest=10.0, seed=tf.constant([0, 0], tf.int64))
        for focus, expected in ((None, (20, 30)), ((-1, -1), (20, 30)), ((3, 7), (7.5, 15.5))):
            focus = None if focus is None else tf.constant(focus)
            turn = random_turn(*axes, focus=focus, **arguments)
            assert (float(turn.row), float(turn.column)) == expected
