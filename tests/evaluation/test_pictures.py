"""Colors by hand, and the sheet of panels."""

import numpy as np
import PIL.Image
import pytest

from keras_hrnet.data_sets import Classes, palette
from keras_hrnet.data_sets.cityscapes import CITYSCAPES, PALETTE
from keras_hrnet.evaluation import colorize, comparison, overlay
from keras_hrnet.evaluation.pictures import write_png

pytestmark = pytest.mark.once

ROAD, SKY, BLACK = (128, 64, 128), (70, 130, 180), (0, 0, 0)
LABELS = np.array([[0, 10, 255]], dtype=np.uint8)


def test_the_classes_of_a_data_set_have_its_colors_and_ignored_pixels_are_black():
    colors = colorize(LABELS, "cityscapes")
    assert colors.dtype == np.uint8
    assert colors.tolist() == [[list(ROAD), list(SKY), list(BLACK)]]


def test_a_batch_is_painted_alike():
    np.testing.assert_array_equal(colorize(np.stack([LABELS, LABELS])), np.stack([colorize(LABELS)] * 2))


def test_another_palette_paints_its_own_colors():
    assert colorize([[1, 0]], palette=[(1, 2, 3), (4, 5, 6)]).tolist() == [[[4, 5, 6], [1, 2, 3]]]


@pytest.mark.parametrize("labels", [[[0, 130]], np.array([[130]], np.uint8)])
def test_without_a_palette_any_label_has_a_color_of_its_own(labels):
    np.testing.assert_array_equal(colorize(labels), np.array(palette(150))[np.array(labels)])


def test_a_label_without_a_color_is_refused():
    with pytest.raises(ValueError, match=r"label 19 with a palette of 19 colors. Expected labels 0 to 18"):
        colorize([[0, 19]], "cityscapes")
    with pytest.raises(ValueError, match=r"label -1 with a palette of 1 colors"):
        colorize([[0, -1]])


@pytest.mark.parametrize("ignore_label", [254, 300, -1])
def test_the_ignore_label_of_the_classes_is_ignored_too(ignore_label):
    classes = Classes(("cat", "dog"), ((1, 2, 3), (4, 5, 6)), ignore_label)
    labels = np.array([[1, ignore_label, 255]], np.int32)
    assert colorize(labels, classes).tolist() == [[[4, 5, 6], [0, 0, 0], [0, 0, 0]]]
    image = np.full((1, 3, 3), 100, np.uint8)
    assert overlay(image, labels, 1, classes).tolist() == [[[4, 5, 6], [100, 100, 100], [100, 100, 100]]]
    with pytest.raises(ValueError, match=f"Expected labels 0 to 1, or {ignore_label} for ignored"):
        colorize([[2]], classes)


def test_logits_are_refused_as_labels():
    with pytest.raises(TypeError, match=r"dtype float64. Expected integers"):
        colorize([[0.5]])


def test_an_overlay_mixes_colors_and_leaves_ignored_pixels():
    image = np.full((1, 3, 3), 100, dtype=np.uint8)
    # A quarter of the color: 0.75 * 100 + 0.25 * (128, 64, 128), and so on.
    expected = [[[107, 91, 107], [92, 108, 120], [100, 100, 100]]]
    assert overlay(image, LABELS, alpha=0.25, palette="cityscapes").tolist() == expected


def test_alpha_goes_from_the_image_to_the_colors():
    image = np.full((1, 3, 3), 100, dtype=np.uint8)
    np.testing.assert_array_equal(overlay(image, LABELS, alpha=0), image)
    np.testing.assert_array_equal(overlay(image, LABELS, alpha=1)[:, :2], colorize(LABELS)[:, :2])


def test_alpha_beyond_one_is_refused():
    with pytest.raises(ValueError, match=r"alpha=50. Expected 0 to 1"):
        overlay(np.zeros((1, 3, 3), np.uint8), LABELS, alpha=50)


def test_labels_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"labels of shape \(1, 3\) for an image of shape \(2, 3, 3\)"):
        overlay(np.zeros((2, 3, 3), np.uint8), LABELS)


def test_float_images_are_refused():
    with pytest.raises(ValueError, match="dtype float64"):
        overlay(np.zeros((1, 3, 3)), LABELS)


def sample(height, width, train_ids=(0, 10)):
    labels = np.resize(np.array(train_ids, np.uint8), (height, width))
    return np.full((height, width, 3), 77, np.uint8), labels, labels


def colors_of(picture):
    return {color for _, color in picture.convert("RGB").getcolors(1 << 24)}


def test_a_comparison_has_three_panels_between_margins():
    picture = comparison(*sample(256, 512))
    assert isinstance(picture, PIL.Image.Image)
    # Width: 3 panels, 2 gutters, 2 margins. Height: half a margin, title, panel, gap, one row of legend, half a margin.
    assert picture.size == (3 * 512 + 2 * 16 + 2 * 32, 16 + 36 + 256 + 24 + 28 + 16)


@pytest.mark.parametrize(
    ("size", "panel"), [((1024, 2048), (320, 640)), ((64, 96), (256, 384)), ((1200, 600), (640, 320))]
)
def test_large_images_shrink_and_small_ones_grow_by_a_whole_factor(size, panel):
    picture = comparison(*sample(*size))
    assert picture.size == (3 * panel[1] + 96, panel[0] + 120)


def test_the_panels_are_image_truth_and_prediction():
    image, truth, _ = sample(256, 512, train_ids=(0,))
    picture = comparison(image, truth, np.full_like(truth, 10), palette="cityscapes")
    middle = 52 + 128
    assert [picture.getpixel((32 + 256 + i * 528, middle)) for i in range(3)] == [(77, 77, 77), ROAD, SKY]


def test_shrunk_labels_keep_the_colors_of_the_palette():
    random = np.random.default_rng(0)
    labels = random.integers(0, 19, (900, 1500), dtype=np.uint8)
    picture = comparison(np.zeros((900, 1500, 3), np.uint8), labels, labels, palette=PALETTE)
    assert colors_of(picture.crop((32 + 656, 52, 32 + 656 + 640, 52 + 384))) == set(PALETTE)


def test_several_samples_are_rows_of_one_sheet():
    images, truths, predictions = zip(sample(256, 512), sample(128, 256), strict=True)
    picture = comparison(images, truths, predictions)
    # The second has the width of the first.
    assert picture.size == (3 * 512 + 96, 16 + 36 + 2 * 256 + 16 + 24 + 28 + 16)


def test_a_batch_is_drawn_as_the_list_of_its_samples():
    samples = [sample(256, 512), sample(256, 512)]
    batch = [np.stack(part) for part in zip(*samples, strict=True)]
    assert comparison(*batch) == comparison(*map(list, zip(*samples, strict=True)))


def test_the_legend_has_the_classes_that_occur_and_wraps():
    image, truth, prediction = sample(320, 320, train_ids=(0,))
    one_row = comparison(image, truth, prediction, palette=CITYSCAPES.classes)
    legend = one_row.crop((0, one_row.height - 44, one_row.width, one_row.height))
    assert ROAD in colors_of(legend)
    assert SKY not in colors_of(legend)
    all_classes = np.resize(np.arange(19, dtype=np.uint8), (320, 320))
    many = comparison(image, all_classes, prediction, palette=CITYSCAPES.classes)
    assert many.height > one_row.height
    assert set(PALETTE) <= colors_of(many.crop((0, 52 + 320 + 4, many.width, many.height)))


def test_ignored_pixels_are_named_in_the_legend():
    image, truth, prediction = sample(320, 320, train_ids=(0,))
    picture = comparison(image, np.full_like(truth, 255), prediction)
    assert BLACK in colors_of(picture.crop((0, picture.height - 44, picture.width, picture.height)))


def test_names_and_colors_of_other_data_sets_are_taken():
    picture = comparison(*sample(320, 320, (0, 1)), class_names=("cat", "dog"), palette=[(9, 8, 7), (6, 5, 4)])
    assert {(9, 8, 7), (6, 5, 4)} <= colors_of(picture)


def test_names_without_colors_get_distinct_ones_or_those_of_their_data_set():
    assert set(palette(2)) <= colors_of(comparison(*sample(320, 320, (0, 1)), class_names=("cat", "dog")))
    assert {ROAD, SKY} <= colors_of(comparison(*sample(320, 320), class_names=CITYSCAPES.classes.names))


def test_another_number_of_colors_than_of_names_is_refused():
    with pytest.raises(ValueError, match=r"a palette of 19 colors for 2 classes"):
        comparison(*sample(8, 8), class_names=("cat", "dog"), palette="cityscapes")


def test_a_legend_names_the_classes_that_occur_over_the_lower_edge():
    image, labels, _ = sample(200, 300, train_ids=(0, 255))
    plain, named = (overlay(image, labels, palette=CITYSCAPES.classes, legend=legend) for legend in (False, True))
    assert named.shape == plain.shape
    np.testing.assert_array_equal(named[:100], plain[:100])
    added = colors_of(PIL.Image.fromarray(named)) - colors_of(PIL.Image.fromarray(plain))
    assert ROAD in added
    assert SKY not in added
    assert BLACK not in added


@pytest.mark.parametrize("size", [(50, 40), (100, 100), (1000, 700)])
@pytest.mark.parametrize("names", [("a",), tuple(f"a thing with a long name {i}" for i in range(150))])
def test_a_legend_leaves_the_upper_half_free_whatever_the_size_and_the_names(size, names):
    labels = np.resize(np.arange(len(names)), size)
    image = np.zeros((*size, 3), np.uint8)
    plain, named = (overlay(image, labels, palette=Classes(names), legend=legend) for legend in (False, True))
    np.testing.assert_array_equal(named[: size[0] // 2], plain[: size[0] // 2])
    assert (named != plain).any()


def test_the_smallest_image_has_room_for_no_name():
    image, labels, _ = sample(1, 1, train_ids=(0,))
    assert overlay(image, labels, legend=True).shape == (1, 1, 3)


def test_pixels_that_are_all_ignored_have_no_legend():
    image = np.zeros((40, 40, 3), np.uint8)
    np.testing.assert_array_equal(overlay(image, np.full((40, 40), 255), legend=True), image)


def test_lists_of_different_length_are_refused():
    image, truth, prediction = sample(8, 8)
    with pytest.raises(ValueError, match=r"2 images, 1 truths and 1 predictions"):
        comparison([image, image], [truth], [prediction])


@pytest.mark.parametrize("alpha", [0.3, 0.5])
def test_each_pair_of_bytes_is_mixed_as_their_weighted_sum_is_rounded(alpha):
    image = np.repeat(np.arange(256, dtype=np.uint8)[np.newaxis, :, np.newaxis], 3, axis=-1)
    shades = [(value, 255 - value, 7) for value in range(254)]
    laid_over = np.concatenate([overlay(image, np.full((1, 256), i), alpha, shades) for i in range(254)])
    colors = np.array(shades)[:, np.newaxis]
    np.testing.assert_array_equal(laid_over, np.rint((1 - alpha) * image + alpha * colors))


@pytest.mark.parametrize("shape", [(7, 5, 3), (7, 5)])
def test_a_written_png_holds_each_pixel(shape, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    write_png(picture, tmp_path / "picture.png")
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(tmp_path / "picture.png")), picture)
