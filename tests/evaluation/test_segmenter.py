"""A network under every protocol, against the published code's arithmetic in float64, and tiles against the whole."""

import math

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.data_sets import Classes
from keras_hrnet.evaluation import labels_model
from keras_hrnet.evaluation.segmenter import Segmenter
from keras_hrnet.export.options import ExportOptions
from keras_hrnet.models.interface import min_image_size

TINY = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)


def network(num_classes=5, data_format="channels_last", **options):
    return keras_hrnet.HRNet(TINY, num_classes, data_format=data_format, **options)


def convolutions(data_format="channels_last", factor=1.0):
    """Two 3x3 convolutions: what a pixel says depends on pixels at most two away."""
    shape = (None, None, 3) if data_format == "channels_last" else (3, None, None)
    image = keras.Input(shape)
    x = keras.layers.Rescaling(factor / 100)(image)
    for filters in (4, 3):
        x = keras.layers.Conv2D(filters, 3, padding="same", data_format=data_format)(x)
    return keras.Model(image, x)


def photos(*shape):
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)


def lines(source, target, align_corners):
    """For each pixel of a resized line, its two neighbors and the weight of the second."""
    i = np.arange(target)
    if align_corners:
        position = i * (source - 1) / max(target - 1, 1)
    else:
        position = np.clip((i + 0.5) * source / target - 0.5, 0, source - 1)
    first = np.minimum(position.astype(int), source - 1)
    return first, np.minimum(first + 1, source - 1), position - first


def resized(x, size, align_corners=False):
    x = np.asarray(x, "float64")
    for axis, target in zip((1, 2), size, strict=True):
        first, second, weight = lines(x.shape[axis], target, align_corners)
        weight = weight.reshape((-1, 1, 1) if axis == 1 else (-1, 1))
        x = np.take(x, first, axis) * (1 - weight) + np.take(x, second, axis) * weight
    return x


def published(model, images, scales, flip, average, align_corners=False):
    """`multi_scale_inference` of HRNet-Semantic-Segmentation, in float64; and its sister that averages the softmax."""
    height, width = images.shape[1:3]

    def ask(x):
        answers = [model.predict_on_batch(x.astype("float32")).astype("float64")]
        if flip:
            answers.append(model.predict_on_batch(x[:, :, ::-1].astype("float32"))[:, :, ::-1].astype("float64"))
        if average == "official":
            return np.exp(sum(answers) / len(answers))
        return sum(np.exp(a) / np.exp(a).sum(-1, keepdims=True) for a in answers) / len(answers)

    total = 0
    for scale in scales:
        h, w = int(height * scale + 0.5), int(width * scale + 0.5)
        x = resized(images, (h, w))
        if scale <= 1 or average != "official":
            scores = ask(x)
        else:
            scores, count = 0, np.zeros((1, h, w, 1))
            for row in range(math.ceil((h - height) / height) + 1):
                for column in range(math.ceil((w - width) / width) + 1):
                    bottom, right = min((row + 1) * height, h), min((column + 1) * width, w)
                    there = slice(None), slice(bottom - height, bottom), slice(right - width, right)
                    answer = ask(x[there])
                    scores = scores if np.ndim(scores) else np.zeros((len(x), h, w, answer.shape[-1]))
                    scores[there] += answer
                    count[there] += 1
            scores = scores / count
        total = total + resized(scores, (height, width), align_corners)
    return total / total.sum(-1, keepdims=True)


@pytest.mark.parametrize(
    ("scales", "flip", "average"),
    [
        ((1.0,), False, "official"),
        ((1.0,), True, "official"),
        ((0.5, 1.0, 1.75), True, "official"),
        ((2.0,), False, "official"),
        ((0.75, 1.0), True, "probabilities"),
        ((1.25,), False, "probabilities"),
    ],
)
def test_scores_are_those_of_the_published_arithmetic(scales, flip, average):
    model, images = convolutions(), photos(2, 21, 30)
    segmenter = Segmenter(model, scales=scales, flip=flip, average=average)
    expected = published(model, images, scales, flip, average)
    probabilities = segmenter.probabilities(images)
    np.testing.assert_allclose(probabilities, expected, atol=2e-5)  # measured 1.7e-6
    np.testing.assert_array_equal(segmenter.labels(images), probabilities.argmax(-1))
    assert segmenter.labels(images).dtype == np.uint8


@pytest.mark.parametrize("average", ["official", "probabilities"])
def test_left_and_right_classes_of_the_mirrored_image_change_places(average):
    # Each pixel's logits are its red, green and blue: of body, left arm and right arm.
    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.layers.Rescaling(1 / 10)(image))
    pixels = np.uint8([[[[0, 30, 0], [0, 0, 10]]]])
    kept = Segmenter(model, flip=True, average=average).probabilities(pixels)
    model.classes = Classes(("body", "left arm", "right arm"), mirrored=((1, 2),))
    changed = Segmenter(model, flip=True, average=average).probabilities(pixels)

    def softmax(*logits):
        return np.exp(logits) / np.exp(logits).sum()

    # The network is the same both ways round. So without pairs, flips change nothing; with them, left and right of the
    # mirrored answer are exchanged.
    np.testing.assert_allclose(kept, [[[softmax(0, 3, 0), softmax(0, 0, 1)]]], atol=1e-6)
    if average == "official":
        expected = [softmax(0, 1.5, 1.5), softmax(0, 0.5, 0.5)]
    else:
        expected = [
            (softmax(0, 3, 0) + softmax(0, 0, 3)) / 2,
            (softmax(0, 0, 1) + softmax(0, 1, 0)) / 2,
        ]
    np.testing.assert_allclose(changed, [[expected]], atol=1e-6)


def test_scores_are_enlarged_as_the_network_enlarges():
    model, images = network(align_corners=True), photos(1, 64, 96)
    probabilities = Segmenter(model, scales=(0.5,)).probabilities(images)
    expected = published(model, images, (0.5,), False, "official", align_corners=True)
    np.testing.assert_allclose(probabilities, expected, atol=3e-6)  # measured 3e-7
    assert abs(published(model, images, (0.5,), False, "official") - expected).max() > 1e-3


def test_logits_whose_exponentials_are_no_numbers_are_summed_all_the_same():
    model, images = convolutions(), photos(1, 12, 16)
    kernel, bias = model.layers[-1].get_weights()
    # float32 holds exp up to 88, float64 up to 709.
    model.layers[-1].set_weights([kernel * 400 / abs(model.predict_on_batch(images)).max(), bias])
    assert 100 < model.predict_on_batch(images).max() < 700
    labels = Segmenter(model, scales=(0.5, 1.0), flip=True).labels(images)
    expected = published(model, images, (0.5, 1.0), True, "official")
    assert np.isfinite(expected).all()
    np.testing.assert_array_equal(labels, expected.argmax(-1))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_tiles_that_overlap_by_twice_the_reach_give_what_the_whole_image_gives(data_format):
    if data_format == "channels_first" and keras.config.backend() == "tensorflow":
        data_format = "channels_last"  # TensorFlow convolves no other on a CPU
    model, images = convolutions(data_format), photos(2, 70, 101)
    whole = Segmenter(model).probabilities(images)
    tiled = Segmenter(model, tile=(40, 48), overlap=4).probabilities(images)
    np.testing.assert_allclose(tiled, whole, atol=1e-6)


def test_tiles_without_overlap_differ_only_where_a_seam_is_in_reach():
    model, images = convolutions(), photos(1, 64, 128)
    whole = Segmenter(model).probabilities(images)
    tiled = Segmenter(model, tile=(64, 64), overlap=0).probabilities(images)
    differs = abs(tiled - whole).max(axis=(0, 1, 3)) > 1e-6
    assert np.flatnonzero(differs).tolist() == [62, 63, 64, 65]


@pytest.mark.once
@pytest.mark.slow
def test_the_real_network_in_tiles_gives_what_it_gives_of_the_whole_out_of_the_seams_reach():
    model, image = network(), photos(1, 64, 1024)
    # The reach: how far a change at the left edge is seen.
    changed = image.copy()
    changed[:, :, 0] = 255 - changed[:, :, 0]
    whole, moved = (model.predict_on_batch(x) for x in (image, changed))
    reach = int(np.flatnonzero(abs(whole - moved).max(axis=(0, 1, 3)))[-1])
    assert 100 < reach < 400
    tiled = Segmenter(model, tile=(64, 512), overlap=0).probabilities(image)
    away = abs(np.arange(1024) + 0.5 - 512) > reach
    expected = Segmenter(model).probabilities(image)
    np.testing.assert_allclose(tiled[:, :, away], expected[:, :, away], atol=2e-5)  # measured 2e-6
    assert abs(tiled - expected).max() > 1e-2


def test_images_that_are_channels_first_are_segmented_alike():
    images = photos(1, 40, 56)
    segmenter = Segmenter(convolutions(), scales=(0.5, 1.0), tile=(32, 32), overlap=8)
    np.testing.assert_array_equal(segmenter.labels(np.moveaxis(images, -1, 1)), segmenter.labels(images))


def test_a_network_of_one_size_takes_tiles_of_that_size():
    image = keras.Input((32, 48, 3))
    model = keras.Model(image, keras.layers.Activation("linear")(image))
    images = photos(1, 70, 100)
    np.testing.assert_array_equal(Segmenter(model, tile=(32, 48)).labels(images), images.argmax(-1))
    with pytest.raises(ValueError, match=r"shape \(1, 70, 100, 3\) .* Pass a tile of that size"):
        Segmenter(model).labels(images)


@pytest.mark.slow
@pytest.mark.compiles
def test_the_scales_of_a_hierarchical_network_are_noted_and_averaged_over():
    model = network(head="hierarchical", ocr_channels=(8, 4), scales=(0.5, 1.0))
    segmenter = Segmenter(model, flip=True)
    assert segmenter.protocol.hierarchical_scales == (0.5, 1.0)
    assert Segmenter(network()).protocol.hierarchical_scales is None
    images = photos(1, 64, 64)
    expected = published(model, images, (1.0,), True, "official")
    np.testing.assert_allclose(segmenter.probabilities(images), expected, atol=1e-5)


@pytest.mark.once
def test_images_that_the_smallest_scale_cannot_take_are_refused_with_a_size_that_it_can():
    model = network(head="hierarchical", ocr_channels=(8, 4))
    assert min_image_size(model) == 34
    assert min_image_size(keras_hrnet.with_scales(model, (0.25, 1.0))) == 68
    assert min_image_size(network()) == 17
    assert min_image_size(convolutions()) == 1
    with pytest.raises(
        ValueError, match=r"whose input would be 16 pixels.*hierarchical scales 0.5, 1.*to at least 34x34"
    ):
        Segmenter(model).check_size((64, 33))
    Segmenter(model).check_size((34, 34))
    with pytest.raises(ValueError, match=r"whose input would be 16 pixels.*to at least 68x68"):
        Segmenter(model, scales=(0.5, 1.0)).check_size((64, 66))
    options = ExportOptions((33, 64))
    with pytest.raises(ValueError, match=r"image_size=\(33, 64\) for the model 'Tiny'. Expected .* of at least 34"):
        options.for_model(model)


def test_a_labels_model_cannot_be_averaged():
    labeler = labels_model(convolutions())
    assert Segmenter(labeler, tile=(16, 16)).labels(photos(1, 20, 20)).shape == (1, 20, 20)
    with pytest.raises(ValueError, match=r"returns labels, for an average: scale 1; with flips"):
        Segmenter(labeler, flip=True)
    with pytest.raises(ValueError, match="returns labels, for probabilities"):
        Segmenter(labeler).probabilities(photos(1, 20, 20))


def test_what_is_no_batch_of_images_is_refused():
    for tile in (None, (16, 16)):
        with pytest.raises(ValueError, match=r"images of shape \(20, 20, 3\). Expected RGB images"):
            Segmenter(convolutions(), tile=tile).labels(photos(20, 20))
