"""Predictions on arrays and picture files of every mode."""

import threading

import keras
import numpy as np
import PIL.Image
import pytest

import keras_hrnet
from keras_hrnet.data_sets import Classes, palette
from keras_hrnet.data_sets.cityscapes import ID_OF_TRAIN_ID
from keras_hrnet.evaluation import colorize, labels_model, overlay, predict, read_image
from keras_hrnet.evaluation.photos import find_photos
from keras_hrnet.evaluation.prediction import predictions
from keras_hrnet.evaluation.segmenter import Segmenter

RED, GREEN, BLUE = (200, 10, 20), (10, 200, 20), (10, 20, 200)
IMAGE = np.array([[RED, RED, GREEN, GREEN], [BLUE, BLUE, GREEN, RED]], dtype=np.uint8)
LABELS = [[0, 0, 1, 1], [2, 2, 1, 0]]


def strongest_color(shape=(None, None, 3)):
    image = keras.Input(shape)
    return keras.Model(image, keras.layers.Activation("linear", name="logits")(image))


def test_labels_are_the_largest_logits_as_bytes():
    labels = predict(strongest_color(), IMAGE)
    assert labels.tolist() == LABELS
    assert labels.dtype == np.uint8


def test_a_batch_gives_a_batch_of_labels():
    assert predict(strongest_color(), np.stack([IMAGE, IMAGE[:, ::-1]])).tolist() == [LABELS, [r[::-1] for r in LABELS]]


def test_a_network_that_is_channels_first_takes_the_same_image():
    assert predict(strongest_color((3, None, None)), IMAGE).tolist() == LABELS


def test_a_labels_model_predicts_alike():
    assert predict(labels_model(strongest_color()), IMAGE).tolist() == LABELS


def test_more_than_255_classes_give_int32():
    image = keras.Input((None, None, 3))
    network = keras.Model(image, keras.layers.Conv2D(300, 1, data_format="channels_last")(image))
    network.set_weights([np.zeros((1, 1, 3, 300)), np.eye(300)[299]])
    labels = predict(network, IMAGE)
    assert labels.dtype == labels_model(network).predict_on_batch(IMAGE[np.newaxis]).dtype == np.int32
    assert np.unique(labels).tolist() == [299]


@pytest.mark.once
@pytest.mark.slow
def test_the_real_network_predicts_images_of_odd_and_of_changing_size():
    network = keras_hrnet.HRNetW18Small(num_classes=4, data_format="channels_last")
    random = np.random.default_rng(0)
    for height, width in ((33, 50), (47, 65)):
        labels = predict(network, random.integers(0, 256, (height, width, 3), dtype=np.uint8))
        assert labels.shape == (height, width)
        assert labels.max() < 4


def test_a_picture_file_is_predicted_as_its_pixels(tmp_path):
    PIL.Image.fromarray(IMAGE).save(tmp_path / "street.png")
    assert predict(strongest_color(), tmp_path / "street.png").tolist() == LABELS
    assert predict(strongest_color(), str(tmp_path / "street.png")).tolist() == LABELS


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_transparent_and_palette_pictures_become_rgb(tmp_path, mode):
    PIL.Image.fromarray(IMAGE).convert(mode).save(tmp_path / "street.png")
    assert predict(strongest_color(), tmp_path / "street.png").tolist() == LABELS


def test_a_gray_picture_becomes_rgb(tmp_path):
    PIL.Image.fromarray(IMAGE[..., 0]).save(tmp_path / "gray.png")
    np.testing.assert_array_equal(read_image(tmp_path / "gray.png"), np.repeat(IMAGE[..., :1], 3, axis=-1))


def test_the_rotation_that_a_camera_noted_is_done(tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # Orientation: the picture lies on its left side.
    PIL.Image.fromarray(IMAGE).save(tmp_path / "photo.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "photo.png"), np.rot90(IMAGE, -1))


def test_the_high_byte_of_16_bits_is_read(tmp_path):
    PIL.Image.fromarray(np.full((2, 3), 4000, np.uint16)).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png"), np.full((2, 3, 3), 4000 // 256))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no_such.png'. Expected a picture file"):
        predict(strongest_color(), tmp_path / "no_such.png")


def test_a_file_that_is_no_picture_is_named(tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(ValueError, match=r"text.png', which Pillow cannot read"):
        read_image(tmp_path / "text.png")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_file_that_was_cut_off_is_named(tmp_path, suffix):
    path = tmp_path / f"cut.{suffix}"
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match=f"cut.{suffix}', which Pillow cannot read"):
        read_image(path)


def test_a_file_with_a_flipped_byte_is_named(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "flipped.png")
    data = bytearray((tmp_path / "flipped.png").read_bytes())
    data[len(data) // 2] ^= 255
    (tmp_path / "flipped.png").write_bytes(data)
    with pytest.raises(ValueError, match=r"flipped.png', which Pillow cannot read"):
        read_image(tmp_path / "flipped.png")


def test_floats_are_refused_with_the_way_to_bytes():
    with pytest.raises(TypeError, match=r"dtype float64. Expected uint8 .* multiply them by 255"):
        predict(strongest_color(), IMAGE / 255)


def test_what_is_no_array_is_refused():
    with pytest.raises(TypeError, match=r"image of type Image. Expected a path or a numpy array"):
        predict(strongest_color(), PIL.Image.fromarray(IMAGE))


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 4), (1, 1, 4, 6, 3)])
def test_an_array_that_is_no_rgb_image_is_refused(shape):
    with pytest.raises(ValueError, match=r"image of shape \(.*Expected \(height, width, 3\)"):
        predict(strongest_color(), np.zeros(shape, np.uint8))


def test_logits_at_stride_4_are_refused():
    image = keras.Input((None, None, 3))
    network = keras.Model(image, keras.layers.AveragePooling2D(4, data_format="channels_last")(image))
    with pytest.raises(ValueError, match=r"size \(2, 3\) .*size \(8, 12\).*output_stride=1"):
        predict(network, np.zeros((8, 12, 3), np.uint8))


PALETTE, NAMES = (RED, GREEN, BLUE), ("red", "green", "blue")


def network_of(num_classes):
    """So many classes, of which the last three are the colors."""
    image = keras.Input((None, None, 3))
    network = keras.Model(image, keras.layers.Conv2D(num_classes, 1, data_format="channels_last")(image))
    kernel = np.zeros((1, 1, 3, num_classes))
    kernel[0, 0, :, -3:] = np.eye(3)
    network.set_weights([kernel, np.zeros(num_classes)])
    return network


def save(folder, **pictures):
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{name}.png" for name in pictures]
    for path, picture in zip(paths, pictures.values(), strict=True):
        PIL.Image.fromarray(picture).save(path)
    return paths


def test_every_output_is_of_the_images_size():
    labels = np.array(LABELS, np.uint8)
    painted = colorize(labels, PALETTE)
    np.testing.assert_array_equal(predict(strongest_color(), IMAGE, output="color", palette=PALETTE), painted)
    laid_over = predict(strongest_color(), IMAGE[np.newaxis], output="overlay", palette=PALETTE)
    np.testing.assert_array_equal(laid_over[0], overlay(IMAGE, labels, palette=PALETTE))
    network = network_of(19)
    network.classes = "cityscapes"
    ids = predict(network, IMAGE, output="label_ids")
    assert ids.dtype == np.uint8
    np.testing.assert_array_equal(ids, np.array(ID_OF_TRAIN_ID)[16 + labels])


@pytest.mark.once
@pytest.mark.parametrize("num_classes", [19, 150])
def test_classes_that_nobody_named_are_painted_in_distinct_colors(num_classes):
    expected = np.array(palette(num_classes))[num_classes - 3 + np.array(LABELS)]
    np.testing.assert_array_equal(predict(network_of(num_classes), IMAGE, output="color"), expected)


@pytest.mark.once
def test_a_network_is_painted_in_its_colors_and_named_in_the_legend_by_its_names():
    network, image = strongest_color(), np.kron(IMAGE, np.ones((40, 40, 1), np.uint8))
    network.classes = Classes(NAMES, PALETTE)
    np.testing.assert_array_equal(predict(network, IMAGE, output="color"), colorize(np.array(LABELS), PALETTE))
    labels = predict(network, image)
    named = predict(network, image[np.newaxis], output="overlay", legend=True)[0]
    np.testing.assert_array_equal(named, overlay(image, labels, palette=network.classes, legend=True))
    assert (named != overlay(image, labels, palette=PALETTE, legend=True)).any()  # "class 0" and so on
    without = predict(network, image, output="overlay")
    assert (named != without).any()
    other = predict(network, IMAGE, output="color", palette=[(1, 2, 3), (4, 5, 6), (7, 8, 9)])
    assert other[0, 0].tolist() == [1, 2, 3]
    renamed = predict(network, image, output="overlay", legend=True, palette=Classes(("a", "b", "c"), PALETTE))
    assert (renamed != named).any()


@pytest.mark.once
def test_a_legend_is_for_overlays_alone():
    with pytest.raises(ValueError, match=r"a legend for output='color'. Expected output='overlay'"):
        predict(strongest_color(), IMAGE, output="color", legend=True)


@pytest.mark.once
def test_the_palette_has_a_color_for_each_class():
    with pytest.raises(ValueError, match="palette of 2 colors for 3 classes"):
        predict(strongest_color(), IMAGE, output="color", palette=PALETTE[:2])
    with pytest.raises(ValueError, match=r"19 class names for .*, which has 3 classes"):
        predict(strongest_color(), IMAGE, output="color", palette="cityscapes")


@pytest.mark.once
def test_only_classes_of_cityscapes_have_label_ids():
    network = network_of(19)
    with pytest.raises(
        ValueError, match=r"19 classes. Expected the 19 .*model.classes = 'cityscapes', or pass --classes"
    ):
        predict(network, IMAGE, output="label_ids")
    network.classes = [f"thing {i}" for i in range(19)]
    with pytest.raises(ValueError, match=r"19 classes, thing 0, thing 1, thing 2, …. Expected .* Pass output='labels'"):
        predict(network, IMAGE, output="label_ids")


def test_probabilities_are_the_softmax():
    image = np.array([[[3, 1, 2]]], np.uint8)
    probabilities = predict(strongest_color(), image, output="probabilities")
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities[0, 0], np.exp([3, 1, 2]) / np.exp([3, 1, 2]).sum(), rtol=1e-6)


@pytest.mark.parametrize("options", [{"flip": True}, {"scales": (1, 2)}, {"tile": (2, 2), "overlap": 0}])
def test_the_protocol_reaches_the_network(options):
    large = np.kron(IMAGE, np.ones((4, 4, 1), np.uint8))
    expected = np.kron(LABELS, np.ones((4, 4), int))
    assert (predict(strongest_color(), large, **options) == expected).mean() > 0.9


def test_a_list_of_files_and_arrays_of_different_sizes_gives_a_list(tmp_path):
    (path,) = save(tmp_path, a=IMAGE)
    results = predict(strongest_color(), [path, IMAGE[:, :2], str(path), IMAGE], batch_size=3)
    assert [result.tolist() for result in results] == [LABELS, [row[:2] for row in LABELS], LABELS, LABELS]


def test_files_of_one_size_go_through_the_network_together(tmp_path):
    model, sizes = strongest_color(), []
    answer = model.predict_on_batch
    paths = save(tmp_path, a=IMAGE, b=IMAGE[:, ::-1], c=IMAGE[:1], d=IMAGE, e=IMAGE)

    class Network(keras.Model):
        def predict_on_batch(self, x):
            sizes.append(x.shape[:3])
            return answer(x)

    network = Network(model.inputs[0], model.outputs[0])
    results = predict(network, paths, output="probabilities", batch_size=2)
    assert sizes == [(2, 2, 4), (1, 1, 4), (2, 2, 4)]
    assert results[1].argmax(-1).tolist() == [row[::-1] for row in LABELS]
    sizes.clear()
    results = predict(network, [paths[2], *paths[:2]], output="probabilities", batch_size=2)
    assert sizes == [(1, 1, 4), (2, 2, 4)]
    sizes.clear()
    results = predict(network, [paths[0], paths[2], paths[1]], output="probabilities", batch_size=2)
    assert sizes == [(2, 2, 4), (1, 1, 4)]  # Those of one size need not follow one another.
    assert [len(result) for result in results] == [2, 1, 2]


def test_a_folder_gives_a_dict_by_path(tmp_path):
    first, second = save(tmp_path / "my photos", b=IMAGE, a=IMAGE[:1])
    (below,) = save(tmp_path / "my photos" / "below", c=IMAGE)
    save(tmp_path / "my photos" / ".hidden", d=IMAGE)
    (tmp_path / "my photos" / "notes.txt").write_text("not a photo")
    seen = []
    results = predict(strongest_color(), tmp_path / "my photos", on_image=seen.append)
    assert list(results) == seen == [second, first, below]
    assert results[first].tolist() == LABELS


@pytest.fixture
def damaged_folder(tmp_path):
    first, second, third = save(tmp_path, a=IMAGE, b=IMAGE, c=IMAGE)
    second.write_bytes(second.read_bytes()[:-30])
    return first, second, third


def test_a_damaged_file_in_a_folder_is_refused_before_the_first_prediction(damaged_folder):
    seen = []
    with pytest.raises(ValueError, match=r"b.png', which Pillow cannot read"):
        predict(strongest_color(), damaged_folder[0].parent, on_image=seen.append)
    assert not seen


def test_damaged_files_are_skipped_on_request_and_named(damaged_folder):
    first, second, third = damaged_folder
    with pytest.warns(UserWarning, match=r"Left out 1 of 3 files. .*b.png'"):
        assert list(predict(strongest_color(), first.parent, damaged="skip")) == [first, third]
    with pytest.warns(UserWarning, match="Left out 1 of 2 files"):
        results = predict(strongest_color(), [second, first], damaged="skip")
    assert results[0] is None
    assert results[1].tolist() == LABELS


def test_results_of_earlier_predictions_are_no_photos(tmp_path):
    for name in ("a.jpg", "a_segmented.png", "b_segmented.png", "c.png", "c_segmented.jpg", "_segmented.png"):
        (tmp_path / name).touch()
    names = [path.name for path in find_photos(tmp_path)]
    assert names == ["_segmented.png", "a.jpg", "b_segmented.png", "c.png", "c_segmented.jpg"]


def test_a_folder_without_photos_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"contains no photo\. Expected files that end in .png"):
        predict(strongest_color(), tmp_path)
    (tmp_path / "IMG_1.HEIC").touch()
    with pytest.raises(FileNotFoundError, match=r"contains no photo but other files, such as 'IMG_1.HEIC'\."):
        predict(strongest_color(), tmp_path)


def test_impossible_lists_and_options_are_refused(tmp_path):
    with pytest.raises(ValueError, match="empty list"):
        predict(strongest_color(), [])
    with pytest.raises(FileNotFoundError, match=r"gone.png'. Expected a picture file"):
        predict(strongest_color(), [tmp_path / "gone.png"])
    with pytest.raises(ValueError, match=r"list with an image of shape \(1, 2, 4, 3\)"):
        predict(strongest_color(), [IMAGE[np.newaxis]])
    with pytest.raises(ValueError, match=r"damaged='ignore'. Expected 'error' or 'skip'"):
        predict(strongest_color(), [IMAGE], damaged="ignore")
    with pytest.raises(ValueError, match=r"output='masks'. Expected one of labels, label_ids"):
        predict(strongest_color(), IMAGE, output="masks")
    with pytest.raises(ValueError, match=r"output='label_ids' for the model .* with 3 classes"):
        predict(strongest_color(), IMAGE, output="label_ids")


def test_many_single_predictions_compile_the_network_once():
    model = strongest_color()
    for _ in range(3):
        predict(model, IMAGE)
    if keras.config.backend() == "tensorflow":
        assert model.predict_function.experimental_get_tracing_count() <= 1


def test_results_are_written_in_order_on_threads_and_an_interruption_leaves_no_thread(tmp_path):
    paths, threads = save(tmp_path, a=IMAGE, b=IMAGE[:1], c=IMAGE), set()

    def write(photo, labels):
        threads.add(threading.get_ident())
        return photo.name, labels.tolist()

    segmenter = Segmenter(strongest_color())
    found = list(predictions(segmenter, paths, write=write))
    assert found == [(path, (path.name, LABELS[: 1 if path == paths[1] else 2])) for path in paths]
    assert threading.get_ident() not in threads

    def interrupt(images):
        raise KeyboardInterrupt

    segmenter.labels, before = interrupt, set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        list(predictions(segmenter, paths, write=write))
    assert set(threading.enumerate()) <= before
