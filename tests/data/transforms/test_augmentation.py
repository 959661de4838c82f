import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_hrnet.data.transforms import Augmentation, augmented

pytestmark = pytest.mark.once

CHAINS = {
    "published": {},
    "any scale": dict(scale_step=None),
    "fine steps": dict(scale_step=0.01),
    "as OpenCV": dict(opencv_nearest=True),
    "as OpenCV at any scale": dict(opencv_nearest=True, scale_step=None),
    "rotation": dict(rotation=30.0),
    "class limit": dict(cat_max_ratio=0.3),
    "colors": dict(brightness_shift=32, brightness=0.5, contrast=0.3, saturation=0.5, hue=0.1, color_probability=0.5),
    "blur": dict(blur=0.5),
    "everything": dict(scale_step=None, rotation=180, cat_max_ratio=0.5, hue=0.5, contrast=0.5, blur=1.0, flip=1.0),
}
# Of what moves pixels, and nothing else.
MOVES = ["published", "any scale", "fine steps", "as OpenCV", "as OpenCV at any scale", "rotation"]


def noise(height, width, seed=0, values=range(19)):
    rng = np.random.default_rng(seed)
    image = rng.integers(1, 256, (height, width, 3), dtype=np.uint8)
    return image, rng.choice(list(values), (height, width)).astype(np.uint8)


def seeded(number):
    return tf.constant([number, 7], tf.int64)


def sampler(image, label, crop_size, **options):
    """A graph that makes a crop for each number."""
    focus, to_train_ids = options.pop("focus", None), options.pop("to_train_ids", None)

    @tf.function
    def sample(i):
        return augmented(
            image,
            label,
            augmentation=Augmentation(**options),
            crop_size=crop_size,
            seed=tf.stack([i, 0]),
            focus=focus,
            to_train_ids=to_train_ids,
        )

    return lambda i: [x.numpy() for x in sample(tf.constant(i, tf.int64))]


class TestAugmentation:
    def test_the_published_range_has_17_steps(self):
        steps = Augmentation().steps
        assert len(steps) == 17
        assert (steps[0], steps[5], steps[-1]) == ((1, 2), (1, 1), (21, 10))
        np.testing.assert_allclose([n / d for n, d in steps], 0.5 + np.arange(17) / 10)

    def test_other_steps_are_exact_too(self):
        assert Augmentation(scales=(0.5, 1.25), scale_step=0.25).steps == [(1, 2), (3, 4), (1, 1), (5, 4)]
        assert Augmentation(scales=(0.35, 0.55), scale_step=0.2).steps == [(7, 20), (11, 20)]
        assert Augmentation(scales=(1, 1)).steps == [(1, 1)]
        assert Augmentation(scales=(0.123, 0.4567), scale_step=None).steps is None

    def test_it_cannot_be_changed(self):
        with pytest.raises(dataclasses.FrozenInstanceError):
            Augmentation().flip = 0.0

    @pytest.mark.parametrize("name", ["scales", "blur_sigma"])
    @pytest.mark.parametrize("value", [1.0, (0.5,), (0.5, 1.0, 2.0), ("a", "b")])
    def test_a_range_is_a_pair_of_numbers(self, name, value):
        with pytest.raises(TypeError, match=rf"Received {name}=.*Expected \(lower, upper\), two numbers"):
            Augmentation(**{name: value})

    @pytest.mark.parametrize("name", ["scales", "blur_sigma"])
    @pytest.mark.parametrize("value", [(0.0, 1.0), (-0.5, 1.0), (1.2, 1.1), (1.0, float("nan")), (1, float("inf"))])
    def test_a_range_is_positive_and_in_order(self, name, value):
        with pytest.raises(ValueError, match=rf"Received {name}=.*two positive numbers"):
            Augmentation(**{name: value})

    @pytest.mark.parametrize("scales", [(0.555, 1.0), (0.5, 1.01), (0.5, 2.05)])
    def test_scales_are_whole_steps_apart(self, scales):
        with pytest.raises(ValueError, match=r"Received scales=.*whole number of steps.*scale_step=None"):
            Augmentation(scales=scales)

    @pytest.mark.parametrize("step", [0, -0.1, 0.001, 0.3, float("nan"), float("inf")])
    def test_a_step_divides_the_range(self, step):
        with pytest.raises(ValueError, match=r"with scale_step=.*multiples of 0\.01"):
            Augmentation(scale_step=step)

    @pytest.mark.parametrize("step", ["0.1", True])
    def test_a_step_is_a_number(self, step):
        with pytest.raises(TypeError, match=r"Received scale_step=.*Expected a number, or None"):
            Augmentation(scale_step=step)

    @pytest.mark.parametrize(
        ("name", "largest"),
        [
            ("flip", 1),
            ("rotation", 180),
            ("brightness_shift", 255),
            ("brightness", 1),
            ("contrast", 1),
            ("saturation", 1),
            ("hue", 0.5),
            ("color_probability", 1),
            ("blur", 1),
            ("cat_max_ratio", 1),
        ],
    )
    def test_each_number_has_its_range(self, name, largest):
        Augmentation(**{name: largest})
        for value in (-0.1, largest + 0.1, float("nan")):
            with pytest.raises(ValueError, match=rf"Received {name}=.*Expected a number from 0 to {largest}"):
                Augmentation(**{name: value})
        for value in ("1", None, True):
            with pytest.raises(TypeError, match=rf"Received {name}=.*Expected a number from 0 to {largest}"):
                Augmentation(**{name: value})

    def test_impossible_options_are_refused(self):
        with pytest.raises(ValueError, match=r"Received cat_max_ratio=0.*mmsegmentation's 0\.75"):
            Augmentation(cat_max_ratio=0)
        with pytest.raises(ValueError, match=r"opencv_nearest=True with rotation=5.*Leave one out"):
            Augmentation(opencv_nearest=True, rotation=5)
        with pytest.raises(TypeError, match=r"Received opencv_nearest=1.*True or False"):
            Augmentation(opencv_nearest=1)


class TestAugmented:
    @pytest.mark.parametrize("chain", CHAINS)
    def test_eagerly_and_inside_tf_data_it_is_the_same(self, chain):
        image, label = noise(36, 64)
        arguments = dict(augmentation=Augmentation(**CHAINS[chain]), crop_size=(24, 40))
        dataset = tf.data.Dataset.range(4).map(
            lambda i: augmented(image, label, seed=tf.stack([i, 7]), **arguments), num_parallel_calls=4
        )
        assert dataset.element_spec[0] == tf.TensorSpec((24, 40, 3), tf.uint8)
        assert dataset.element_spec[1] == tf.TensorSpec((24, 40), tf.uint8)
        crops = list(dataset.as_numpy_iterator())
        eager = augmented(image, label, seed=seeded(3), **arguments)
        np.testing.assert_array_equal(crops[3][1], eager[1])
        # A fused kernel may round otherwise where colors change.
        exact = chain in MOVES or chain == "class limit"
        assert np.abs(np.int32(crops[3][0]) - np.int32(eager[0])).max() <= (0 if exact else 1)
        again = list(dataset.as_numpy_iterator())
        for crop, same in zip(crops, again, strict=True):
            np.testing.assert_array_equal(crop[0], same[0])
            np.testing.assert_array_equal(crop[1], same[1])
        assert len({crop[0].tobytes() for crop in crops}) > 2

    @pytest.mark.parametrize("chain", MOVES)
    def test_image_and_label_stay_aligned(self, chain):
        # Red encodes the column and green the row; the label does in sixteen squares by sixteen.
        rows, columns = np.mgrid[:64, :80]
        image = np.stack([2 * columns + 40, 2 * rows + 40, 0 * rows + 40], axis=-1).astype(np.uint8)
        label = np.uint8(16 * (rows // 4) + columns // 5)
        sample = sampler(image, label, (40, 56), to_train_ids=lambda x: x // 2, **CHAINS[chain])
        for i in range(15):
            crop, ids = sample(i)
            padding = (crop == 0).all(axis=-1)
            np.testing.assert_array_equal(padding, ids == 255)
            column, row = (crop[..., 0] - 40.0) / 2, (crop[..., 1] - 40.0) / 2
            # Half a source pixel, or up to one more to one side as OpenCV does it; a quarter for gray levels.
            before, after = (0.52, 1.76) if "OpenCV" in chain else (0.76, 0.76)
            bottom, right = 4 * (ids // 8) + 3, 10 * (ids % 8) + 9
            assert ((row > bottom - 3 - before) & (row < bottom + after))[~padding].all()
            assert ((column > right - 9 - before) & (column < right + after))[~padding].all()

    def test_scales_flips_and_windows_all_occur(self):
        rows, columns = np.mgrid[:40, :60].astype(np.uint8) + np.uint8(10)
        image = np.stack([columns, rows, rows], axis=-1)
        sample = sampler(image, np.zeros((40, 60), np.uint8), (12, 16), scales=(0.5, 2.0))
        images = [sample(i)[0].astype(int) for i in range(200)]
        slopes = np.array([(x[5, 13, 0] - x[5, 3, 0]) / 10 for x in images])
        assert 70 < np.sum(slopes < 0) < 130
        np.testing.assert_allclose([abs(slopes).min(), abs(slopes).max()], [0.5, 2.0], atol=0.1)
        assert len({round(slope, 1) for slope in abs(slopes)}) > 8
        assert min(x[:, :, 1].min() for x in images) == 10
        assert max(x[:, :, 1].max() for x in images) == 49

    @pytest.mark.parametrize(("flip", "mirrored"), [(0.0, 0), (1.0, 20)])
    def test_the_probability_of_a_flip_is_as_asked(self, flip, mirrored):
        image = np.tile(np.uint8(5 * np.arange(1, 41))[None, :, None], (20, 1, 3))
        sample = sampler(image, np.zeros((20, 40), np.uint8), (20, 20), flip=flip)
        assert sum(int(x[0, 9, 0]) < int(x[0, 2, 0]) for x, _ in map(sample, range(20))) == mirrored

    @pytest.mark.parametrize("flip", [0.0, 1.0])
    def test_padding_is_black_and_ignored_whatever_the_colors_do(self, flip):
        image, label = noise(20, 30)
        colors = dict(brightness_shift=200, contrast=1.0, blur=1.0)
        sample = sampler(image, label, (16, 24), scales=(0.5, 0.5), flip=flip, **colors)
        for i in range(5):
            crop, ids = sample(i)
            inside = np.s_[:10, 9:] if flip else np.s_[:10, :15]
            assert (ids[inside] < 19).all()
            assert crop[inside].any()
            crop[inside], ids[inside] = 0, 255
            assert (crop == 0).all()
            assert (ids == 255).all()

    @pytest.mark.parametrize("options", [dict(scales=(0.5, 0.5)), dict(rotation=180.0)])
    def test_a_class_stored_as_255_does_not_leak_into_the_padding(self, options):
        image = np.full((20, 30, 3), 9, np.uint8)
        label = np.full((20, 30), 255, np.uint8)

        def to_train_ids(values):
            return tf.where(values == 255, tf.constant(1, tf.uint8), tf.constant(99, tf.uint8))

        sample = sampler(image, label, (30, 40), to_train_ids=to_train_ids, **options)
        for i in range(4):
            crop, ids = sample(i)
            assert set(np.unique(ids)) == {1, 255}
            np.testing.assert_array_equal(ids == 255, (crop == 0).all(axis=-1))

    @pytest.mark.parametrize("chain", ["published", "any scale", "rotation"])
    def test_the_focus_is_inside_the_crop(self, chain):
        image, label = np.zeros((40, 60, 3), np.uint8), np.zeros((40, 60), np.uint8)
        focus = (33, 8)
        # More than one pixel, as reducing leaves pixels out.
        label[32:35, 7:10] = 1
        sample = sampler(image, label, (10, 12), focus=tf.constant(focus), **{**CHAINS[chain], "scales": (0.8, 2.1)})
        for i in range(60):
            assert (sample(i)[1] == 1).any()

    def test_no_focus_is_any_window(self):
        image, label = noise(40, 60)
        sample, other = (sampler(image, label, (10, 12), focus=focus) for focus in (tf.constant([-1, -1]), None))
        for i in range(5):
            np.testing.assert_array_equal(sample(i)[1], other(i)[1])

    def test_the_commonest_class_is_limited_where_it_can_be(self):
        image, label = noise(40, 80, values=[0])
        label[:, 60:] = np.arange(80).reshape(40, 2).repeat(10, axis=1) % 7
        shares = {}
        for ratio in (1.0, 0.6):
            sample = sampler(image, label, (16, 16), scales=(1.0, 1.0), cat_max_ratio=ratio)
            shares[ratio] = np.array([np.bincount(sample(i)[1].ravel()).max() / 256 for i in range(80)])
        assert (shares[1.0] >= 0.6).mean() > 0.6
        # 14 of 65 places are good enough; eleven draws miss all of these seven times in a hundred.
        assert (shares[0.6] >= 0.6).mean() < 0.2

    def test_a_limit_that_nothing_meets_ends_with_the_last_window(self):
        image, label = noise(40, 80, values=[3])
        assert (sampler(image, label, (16, 16), cat_max_ratio=0.5)(0)[1] == 3).all()

    def test_ignored_pixels_do_not_count_towards_the_limit(self):
        image, label = noise(30, 30, values=[255])
        label[:, ::5], label[:, 1::5] = 1, 2
        calls = []

        def to_train_ids(values):
            calls.append(values)
            return values

        arguments = dict(crop_size=(10, 10), seed=seeded(0), to_train_ids=to_train_ids)
        for ratio, attempts in ((0.6, 1), (0.5, 11)):
            calls.clear()
            augmentation = Augmentation(scales=(1.0, 1.0), cat_max_ratio=ratio)
            augmented(image, label, augmentation=augmentation, **arguments)
            assert len(calls) == attempts

    def test_left_and_right_change_places_in_mirrored_crops_only(self):
        image, label = np.zeros((1, 4, 3), np.uint8), np.uint8([[0, 1, 2, 255]])
        arguments = dict(crop_size=(1, 4), seed=seeded(0), mirrored_ids=(0, 2, 1))
        for flip, expected in ((0.0, [0, 1, 2, 255]), (1.0, [255, 1, 2, 0])):
            augmentation = Augmentation(scales=(1.0, 1.0), flip=flip)
            assert augmented(image, label, augmentation=augmentation, **arguments)[1].numpy().tolist() == [expected]

    def test_the_crop_may_have_a_size_known_only_in_the_graph(self):
        image, label = noise(26, 44)
        crop_size = tf.unstack(tf.constant([24, 40]))
        for array, same in zip(
            augmented(image, label, augmentation=Augmentation(), crop_size=crop_size, seed=seeded(1)),
            augmented(image, label, augmentation=Augmentation(), crop_size=(24, 40), seed=seeded(1)),
            strict=True,
        ):
            np.testing.assert_array_equal(array, same)

    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(
        st.tuples(st.integers(1, 40), st.integers(1, 40)),
        st.tuples(st.integers(1, 50), st.integers(1, 50)),
        st.sampled_from(sorted(CHAINS)),
        st.tuples(st.integers(2, 21), st.integers(0, 10)),
        st.booleans(),
        st.integers(0, 2**40),
    )
    def test_labels_are_those_before_or_ignored(self, size, crop_size, chain, tenths, focused, seed):
        rng = np.random.default_rng(seed)
        ids = rng.choice(256, 3, replace=False)
        image, label = noise(*size, seed=seed, values=ids)
        scales = (tenths[0] / 10, (tenths[0] + tenths[1]) / 10)
        crop = augmented(
            image,
            label,
            augmentation=Augmentation(**{**CHAINS[chain], "scales": scales}),
            crop_size=crop_size,
            seed=tf.constant([seed, 0], tf.int64),
            focus=tf.constant([seed % size[0], seed % size[1]]) if focused else None,
        )
        assert crop[0].shape == (*crop_size, 3)
        assert crop[1].shape == crop_size
        assert set(np.unique(crop[1])) <= {*ids, 255}
