"""Scores of networks whose answers are known: the class of a pixel is the strongest of its three colors."""

import json

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet.data_sets import Classes, palette
from keras_hrnet.data_sets.cityscapes import CLASS_NAMES, PALETTE
from keras_hrnet.evaluation import EvaluationReport, Protocol, evaluate, labels_model
from keras_hrnet.evaluation.boundary import BoundaryCounts, boundary_counts
from keras_hrnet.models.network import Network

RED, GREEN, BLUE = (200, 10, 20), (10, 200, 20), (10, 20, 200)
NAMES = ("red", "green", "blue")


def strongest_color(data_format="channels_last", shape=None):
    if shape is None:
        shape = (None, None, 3) if data_format == "channels_last" else (3, None, None)
    image = keras.Input(shape)
    return keras.Model(image, keras.layers.Activation("linear", name="logits")(image), name="strongest")


def one_batch():
    image = np.array([[[RED, RED, GREEN], [BLUE, BLUE, GREEN]]], dtype=np.uint8)
    label = np.array([[[0, 1, 1], [2, 255, 255]]], dtype=np.uint8)
    return image, label


def test_scores_are_those_worked_by_hand():
    report = evaluate(strongest_color(), [one_batch()], class_names=NAMES)
    assert report.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert report.iou.tolist() == [0.5, 0.5, 1.0]
    assert report.mean_iou == pytest.approx(2 / 3)
    assert report.pixel_accuracy == 0.75
    assert report.num_images == 1
    assert report.seconds_per_image > 0
    assert report.class_names == NAMES


def test_batches_may_differ_in_number_and_size_of_their_images():
    image, label = one_batch()
    wide = (np.tile(image, (2, 1, 3, 1)), np.tile(label, (2, 1, 3)))
    report = evaluate(strongest_color(), [(image, label), wide], class_names=NAMES)
    assert report.num_images == 3
    assert report.confusion.tolist() == [[7, 0, 0], [7, 7, 0], [0, 0, 7]]


def test_a_dataset_of_tf_data_is_scored_alike():
    import tensorflow

    image, label = one_batch()
    dataset = tensorflow.data.Dataset.from_tensor_slices((image, label)).batch(1)
    report = evaluate(strongest_color(), dataset, class_names=NAMES)
    assert report.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]


def test_images_may_be_float32_and_labels_int32():
    image, label = one_batch()
    report = evaluate(strongest_color(), [(image.astype("float32"), label.astype("int32"))], class_names=NAMES)
    assert report.pixel_accuracy == 0.75


@pytest.mark.parametrize("images_are_first", [False, True])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_images_and_network_may_have_the_channels_last_or_first(data_format, images_are_first):
    image, label = one_batch()
    image, label = np.tile(image, (1, 1, 2, 1)), np.tile(label, (1, 1, 2))
    if images_are_first:
        image = np.moveaxis(image, -1, 1)
    report = evaluate(strongest_color(data_format), [(image, label)], class_names=NAMES)
    assert report.confusion.tolist() == [[2, 0, 0], [2, 2, 0], [0, 0, 2]]


def test_a_labels_model_gives_bytes_and_scores_alike():
    labeler = labels_model(strongest_color())
    image, label = one_batch()
    assert labeler.predict_on_batch(image).dtype == np.uint8
    assert labels_model(labeler) is labeler
    assert evaluate(labeler, [(image, label)], class_names=NAMES).mean_iou == pytest.approx(2 / 3)


def test_a_labels_model_follows_the_weights_of_its_network():
    image = keras.Input((None, None, 3))
    network = keras.Model(image, keras.layers.Conv2D(2, 1, data_format="channels_last")(image))
    labeler = labels_model(network)
    for expected in (0, 1):
        network.set_weights([np.zeros((1, 1, 3, 2)), np.eye(2)[expected]])
        assert np.unique(labeler.predict_on_batch(one_batch()[0])).tolist() == [expected]


def test_evaluation_in_the_midst_of_fit_scores_the_weights_of_that_epoch():
    image = keras.Input((None, None, 3))
    network = keras.Model(image, keras.layers.Conv2D(3, 1, data_format="channels_last")(image))
    network.set_weights([np.zeros((1, 1, 3, 3)), np.array([0, 0, 1.0])])
    seen = []

    class Scores(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(evaluate(self.model, [one_batch()], class_names=NAMES).confusion.sum(axis=0).tolist())

    # Every label is green: after one large step on the biases the network says green and no longer blue.
    pixels, labels = np.zeros((1, 2, 3, 3)), np.ones((1, 2, 3))
    network.compile(keras.optimizers.SGD(100.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(pixels, labels, epochs=2, verbose=0, callbacks=[Scores()])
    assert seen == [[0, 4, 0]] * 2


def test_nineteen_classes_are_those_of_cityscapes_where_somebody_says_so():
    image = keras.Input((None, None, 3))
    network = Network(image, keras.layers.Conv2D(19, 1, data_format="channels_last")(image))
    image = np.random.default_rng(0).integers(0, 256, (1, 33, 50, 3), dtype=np.uint8)
    batches = [(image, np.zeros((1, 33, 50), np.uint8))]
    report = evaluate(network, batches)
    assert report.class_names[:2] == ("class 0", "class 1")
    assert report.confusion[0].sum() == report.confusion.sum() == 33 * 50
    network.classes = "cityscapes"
    report = evaluate(network, batches)
    assert (report.class_names, report.class_colors) == (CLASS_NAMES, PALETTE)


class Streets(list):
    """Batches that say what their classes are."""

    def __init__(self, batches, classes=None, class_names=None):
        super().__init__(batches)
        self.classes, self.class_names = classes, class_names


def named_network(names=NAMES, **options):
    network = strongest_color()
    network.classes = Classes(names, ((1, 2, 3), (4, 5, 6), (7, 8, 9)), **options)
    return network


@pytest.mark.once
def test_names_and_colors_are_the_arguments_else_the_networks_else_the_datas():
    data = Classes(NAMES, ((9, 9, 9), (4, 5, 6), (7, 8, 9)))

    def classes(network, **options):
        report = evaluate(network, Streets([one_batch()], data), **options)
        return report.class_names, report.class_colors

    assert classes(strongest_color()) == (NAMES, data.colors)
    assert classes(named_network()) == (NAMES, named_network().classes.colors)
    assert classes(named_network(), class_names=NAMES) == (NAMES, named_network().classes.colors)
    assert classes(named_network(), class_names=("a", "b", "c")) == (("a", "b", "c"), palette(3))
    given = Classes(("a", "b", "c"), ((0, 0, 1), (0, 0, 2), (0, 0, 3)))
    assert classes(named_network(), class_names=given) == (given.names, given.colors)
    unnamed = evaluate(named_network(), Streets([one_batch()], Classes.unnamed(3)))
    assert unnamed.class_names == NAMES


@pytest.mark.once
@pytest.mark.parametrize("attribute", ["classes", "class_names"])
def test_data_of_other_classes_than_the_networks_is_refused(attribute):
    names = ("red", "blue", "green")
    data = Streets([one_batch()], **{attribute: Classes(names) if attribute == "classes" else names})
    with pytest.raises(
        ValueError, match=r"whose class 1 is 'green', and data whose class 1 is 'blue'. Expected the same"
    ):
        evaluate(named_network(), data)
    assert evaluate(named_network(), data, class_names=names).class_names == names


@pytest.mark.once
def test_the_ignore_label_of_the_classes_is_not_counted():
    image, label = one_batch()
    label[label == 1] = 254
    for network, data in (
        (named_network(ignore_label=254), [(image, label)]),
        (strongest_color(), Streets([(image, label)], Classes(NAMES, ignore_label=254))),
    ):
        report = evaluate(network, data, num_examples=1)
        assert report.confusion.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]
        assert report.examples[0].truth.tolist() == [[0, 255, 255], [2, 255, 255]]
    with pytest.raises(ValueError, match="label 254 for 3 classes"):
        evaluate(named_network(), [(image, label)])


def test_other_numbers_of_classes_are_numbered():
    assert evaluate(strongest_color(), [one_batch()]).class_names == ("class 0", "class 1", "class 2")


def test_labels_beyond_the_classes_are_refused():
    image, label = one_batch()
    with pytest.raises(ValueError, match="label 40 for 3 classes"):
        evaluate(strongest_color(), [(image, np.full_like(label, 40))])


def test_logits_at_stride_4_are_refused():
    image = keras.Input((None, None, 3))
    network = keras.Model(image, keras.layers.AveragePooling2D(4, data_format="channels_last")(image))
    batch = (np.zeros((1, 8, 12, 3), np.uint8), np.zeros((1, 8, 12), np.uint8))
    with pytest.raises(ValueError, match=r"size \(2, 3\) .* images of size \(8, 12\).*output_stride=1"):
        evaluate(network, [batch])


def test_labels_of_another_size_than_the_images_are_refused():
    image, label = one_batch()
    with pytest.raises(ValueError, match=r"labels of size \(1, 3\) for images of size \(2, 3\)"):
        evaluate(strongest_color(), [(image, label[:, :1])])


def test_names_of_another_number_than_the_classes_are_refused():
    with pytest.raises(ValueError, match="2 class names for 'strongest', which has 3 classes"):
        evaluate(strongest_color(), [one_batch()], class_names=("a", "b"))


def test_a_labels_model_has_the_classes_of_its_network():
    assert evaluate(labels_model(strongest_color()), [one_batch()]).class_names[0] == "class 0"
    assert evaluate(labels_model(named_network()), [one_batch()]).class_names == NAMES


def test_a_model_of_labels_without_names_is_refused():
    labeler = labels_model(strongest_color())
    labeler = keras.Model(labeler.inputs[0], labeler.outputs[0])
    with pytest.raises(ValueError, match="returns labels, without class_names"):
        evaluate(labeler, [one_batch()])
    assert evaluate(labeler, [one_batch()], class_names=NAMES).class_names == NAMES


def test_a_classifier_of_images_is_refused():
    image = keras.Input((None, None, 3))
    network = keras.Model(image, keras.layers.GlobalAveragePooling2D(data_format="channels_last")(image))
    with pytest.raises(ValueError, match=r"output of shape \(None, 3\). Expected logits .*head='fcn'"):
        evaluate(network, [one_batch()])


def test_a_dict_of_maps_is_refused():
    image = keras.Input((None, None, 3))
    network = keras.Model(image, {"P2": image, "P3": keras.ops.relu(image)})
    with pytest.raises(TypeError, match=r"1 inputs and 2 outputs. Expected a built functional model"):
        evaluate(network, [one_batch()])


def test_what_is_no_keras_model_is_refused():
    with pytest.raises(TypeError, match=r"model of type function. Expected a keras.Model"):
        evaluate(lambda image: image, [one_batch()])


def test_images_of_other_channels_than_the_networks_are_refused():
    with pytest.raises(
        ValueError, match=r"images of shape \(1, 2, 3, 3\). Expected images \(batch, height, width, 1\)"
    ):
        evaluate(strongest_color(shape=(None, None, 1)), [one_batch()])


def test_images_of_another_size_than_the_network_was_built_for_are_refused():
    with pytest.raises(ValueError, match=r"images of shape \(1, 2, 3, 3\) .*Expected shape \(None, 4, 6, 3\)"):
        evaluate(strongest_color(shape=(4, 6, 3)), [one_batch()])


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (one_batch()[0], "batch of type ndarray. Expected a pair"),
        ((*one_batch(), np.ones(1)), "batch of 3 parts. Expected a pair"),
        ((one_batch()[0][0], one_batch()[1][0]), r"labels of shape \(2, 3\)"),
        ((one_batch()[0], one_batch()[1][..., np.newaxis]), r"labels of shape \(1, 2, 3, 1\)"),
        ((one_batch()[0][..., :2], one_batch()[1]), r"images of shape \(1, 2, 3, 2\). Expected RGB"),
        ((one_batch()[0], one_batch()[1].astype("float32")), "truth of dtype float32"),
    ],
)
def test_what_is_no_batch_of_images_and_labels_is_refused(batch, message):
    with pytest.raises((ValueError, TypeError), match=message):
        evaluate(strongest_color(), [batch])


def normalizing():
    image = keras.Input((None, None, 3))
    return keras.Model(image, keras_hrnet.layers.Normalize(data_format="channels_last")(image), name="normalizing")


@pytest.mark.once
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda image: image / 255, r"float64 values in \[0.0392, 0.784\]. Expected RGB in \[0, 255\].*Multiply them"),
        (lambda image: (image - 124.0) / 58, r"values in \[-1.97, 1.31\]. Expected RGB in \[0, 255\].*before any norm"),
        (lambda image: image.astype("int32") * 200, r"values in \[2e\+03, 4e\+04\]"),
        (lambda image: image * np.float32("nan"), r"values in \[nan, nan\]"),
    ],
)
def test_images_that_are_no_pixels_are_refused_by_networks_that_normalize(change, message):
    image, label = one_batch()
    with pytest.raises(ValueError, match=message):
        evaluate(normalizing(), [(change(image), label)])


@pytest.mark.once
def test_dark_pixels_are_scored_and_so_are_any_values_where_the_network_does_not_normalize():
    image, label = one_batch()
    for dark in (image // 200, np.zeros((1, 2, 3, 3), "float32")):
        assert evaluate(normalizing(), [(dark, label)]).num_images == 1
    assert evaluate(strongest_color(), [(image / 255, label)]).mean_iou == pytest.approx(2 / 3)


def test_a_network_whose_weights_are_no_numbers_is_refused():
    image = keras.Input((None, None, 3))
    network = keras.Model(image, keras.layers.Conv2D(3, 1, name="last")(image), name="diverged")
    network.set_weights([np.full((1, 1, 3, 3), np.nan), np.zeros(3)])
    with pytest.raises(ValueError, match=r"'diverged', whose weight 'last/kernel' has 9 of 9 values that are NaN"):
        evaluate(network, [one_batch()])


def test_an_empty_dataset_is_refused():
    with pytest.raises(ValueError, match="empty dataset"):
        evaluate(strongest_color(), [])


def test_a_dataset_without_end_is_refused():
    import tensorflow

    dataset = tensorflow.data.Dataset.from_tensors(one_batch()).repeat()
    with pytest.raises(ValueError, match="never ends"):
        evaluate(strongest_color(), dataset)


def test_labels_that_are_all_ignored_are_refused():
    image, label = one_batch()
    with pytest.raises(ValueError, match=r"1 images whose labels are all 255.*set with `ignore_label` and `id_map`"):
        evaluate(strongest_color(), [(image, np.full_like(label, 255))])


def report_with_an_absent_class():
    return EvaluationReport(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]]), ("road", "sidewalk", "train"), 2, 0.25)


def test_the_mean_leaves_out_absent_classes():
    assert report_with_an_absent_class().mean_iou == pytest.approx((3 / 4 + 4 / 5) / 2)


def test_a_report_prints_as_an_aligned_table():
    assert str(report_with_an_absent_class()).splitlines() == [
        "class                IoU %  pixels %",
        "────────────────────────────────────",
        "road                 75.00    50.000",
        "sidewalk             80.00    50.000",
        "train                    –         –",
        "────────────────────────────────────",
        "mean of 2 classes    77.50   100.000",
        "pixel accuracy 87.50 %, frequency-weighted IoU 77.50 %, 2 images, 0.25 s per image",
        "Classes without a pixel in the labels: train.",
    ]


def test_a_class_without_a_pixel_in_the_labels_is_named_where_it_counts_as_zero():
    report = EvaluationReport(np.array([[3, 1, 0], [0, 0, 0], [0, 0, 0]]), ("road", "sidewalk", "train"), 1, 0.25)
    assert report.unlabeled_classes == ("sidewalk", "train")
    assert "sidewalk              0.00         –\ntrain                    –         –\n" in str(report)
    expected = "in the labels: sidewalk, train. Predicted nevertheless, which counts as an IoU of 0: sidewalk."
    assert str(report).endswith(expected)


def test_a_report_goes_through_json():
    read = json.loads(json.dumps(report_with_an_absent_class().to_dict()))
    assert read["iou"] == {"road": 0.75, "sidewalk": 0.8, "train": None}
    assert read["confusion"] == [[3, 1, 0], [0, 4, 0], [0, 0, 0]]
    assert read["class_colors"] == [list(color) for color in palette(3)]
    assert read["mean_iou"] == pytest.approx(0.775)
    assert (read["num_images"], read["seconds_per_image"], read["pixel_accuracy"]) == (2, 0.25, 0.875)


def test_frequency_weighted_iou_weighs_by_the_true_pixels():
    # Half of the pixels are of each class: (3/4 + 4/5) / 2. A class that is only predicted weighs nothing.
    assert report_with_an_absent_class().frequency_weighted_iou == pytest.approx(0.775)
    confusion = np.array([[6, 0, 2], [0, 2, 0], [0, 0, 0]])
    assert EvaluationReport(confusion, NAMES, 1, 0.1).frequency_weighted_iou == pytest.approx(0.8 * 6 / 8 + 0.2 * 1)


def test_taking_one_class_of_a_group_for_another_is_no_error_of_the_group():
    confusion = np.array([[3, 1, 0], [2, 4, 1], [0, 1, 5]])
    report = EvaluationReport(confusion, NAMES, 1, 0.1, categories=("warm", "warm", "cold"))
    assert report.category_iou == {"warm": pytest.approx(10 / 12), "cold": pytest.approx(5 / 7)}
    assert EvaluationReport(confusion, NAMES, 1, 0.1).category_iou == {}


def test_cityscapes_classes_have_cityscapes_categories():
    iou = EvaluationReport(np.eye(19, dtype=int), CLASS_NAMES, 1, 0.1).category_iou
    assert list(iou) == ["flat", "construction", "object", "nature", "sky", "human", "vehicle"]
    assert set(iou.values()) == {1.0}


def test_boundary_iou_is_counted_beside_and_may_be_left_out():
    image, label = one_batch()
    report = evaluate(strongest_color(), [(image, label), (image, label)], class_names=NAMES, boundary_ratio=0.3)
    prediction = image[0].argmax(-1).astype(np.uint8)
    expected = boundary_counts(label[0], prediction, 3, 0.3)
    np.testing.assert_array_equal(report.boundary.pixels, 2 * expected.pixels)
    np.testing.assert_array_equal(report.boundary_iou, expected.iou)
    assert report.mean_boundary_iou == pytest.approx(np.nanmean(expected.iou))
    without = evaluate(strongest_color(), [one_batch()], class_names=NAMES, boundary_ratio=None)
    assert without.boundary_iou is without.mean_boundary_iou is None


def test_the_report_says_how_the_network_was_asked():
    report = evaluate(strongest_color(), [one_batch()], scales=(1, 2), flip=True, average="probabilities")
    assert report.protocol == Protocol(scales=(1.0, 2.0), flip=True, average="probabilities")
    assert report.network == "strongest"
    assert str(report).endswith("protocol: scales 1, 2; with flips; whole images; averaged probabilities")


def test_tiles_and_flips_score_alike_where_each_pixel_speaks_for_itself():
    image, label = one_batch()
    large = (np.tile(image, (1, 10, 10, 1)), np.tile(label, (1, 10, 10)))
    plain = evaluate(strongest_color(), [large], boundary_ratio=None)
    for options in ({"flip": True}, {"tile": (8, 8)}, {"tile": (16, 8), "overlap": 3, "flip": True}):
        report = evaluate(strongest_color(), [large], boundary_ratio=None, **options)
        np.testing.assert_array_equal(report.confusion, plain.confusion)


def graded_batches():
    """Five images of six pixels: of image i, i pixels are wrong; the last has none that count."""
    for wrong in (2, 0, 3, 1, None):
        image = np.zeros((1, 1, 6, 3), np.uint8)
        image[..., 0] = 9
        image[0, 0, : wrong or 0] = (0, 9, 0)
        yield image, np.full((1, 1, 6), 255 if wrong is None else 0, np.uint8)


def test_the_worst_and_the_best_images_are_kept_worst_first():
    report = evaluate(strongest_color(), graded_batches(), num_examples=1)
    assert [example.name for example in report.examples] == ["image 3", "image 2"]
    worst = report.examples[0]
    assert worst.mean_iou == pytest.approx(np.mean([3 / 6, 0]))
    assert worst.prediction.tolist() == [[1, 1, 1, 0, 0, 0]]
    assert worst.image.dtype == np.uint8
    assert worst.image.shape == (1, 6, 3)
    np.testing.assert_allclose(report.image_scores, [2 / 6, 1, 1 / 4, 5 / 12, np.nan])
    assert len(evaluate(strongest_color(), graded_batches(), num_examples=9).examples) == 4
    assert evaluate(strongest_color(), graded_batches()).examples == ()


def test_images_have_the_names_that_are_given_or_that_the_dataset_has():
    names = [f"street {i}" for i in range(5)]
    assert evaluate(strongest_color(), graded_batches(), image_names=names).image_names == tuple(names)
    with pytest.raises(ValueError, match="4 image_names for 5 images"):
        evaluate(strongest_color(), graded_batches(), image_names=names[:4])

    streets = Streets([one_batch(), one_batch()], class_names=NAMES)
    streets.image_names = ("ulm", "aachen")
    report = evaluate(strongest_color(), streets)
    assert report.image_names == ("ulm", "aachen")
    assert report.class_names == NAMES


def test_progress_is_told_after_each_batch():
    seen = []
    evaluate(strongest_color(), [one_batch()] * 5, on_batch=seen.append)
    assert seen == [1, 2, 3, 4, 5]


def test_categories_of_another_number_than_the_classes_are_refused():
    with pytest.raises(ValueError, match="2 categories for 3 classes"):
        evaluate(strongest_color(), [one_batch()], categories=("a", "b"))


def test_a_full_report_goes_through_a_json_file(tmp_path):
    report = evaluate(strongest_color(), graded_batches(), categories=("x", "x", "y"))
    report.write(tmp_path / "new folder" / "report.json")
    read = json.loads((tmp_path / "new folder" / "report.json").read_text())
    assert read == json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert read["protocol"]["text"] == "scale 1; no flips; whole images"
    assert read["images"]["image 5"] is None
    assert read["category_iou"] == {"x": 1.0, "y": None}
    assert read["boundary_iou"]["class 2"] is None
    assert read["boundary_ratio"] == report.boundary.ratio


def test_a_report_prints_boundary_iou_and_categories():
    counts = BoundaryCounts(0.005, np.array([[1, 2, 0], [2, 2, 0], [2, 4, 0]]))
    report = EvaluationReport(
        np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]]), NAMES, 1, 0.5, boundary=counts, categories=("a", "a", "b")
    )
    assert str(report).splitlines() == [
        "class                IoU %  boundary %  pixels %",
        "────────────────────────────────────────────────",
        "red                  75.00       33.33    50.000",
        "green                80.00       50.00    50.000",
        "blue                     –           –         –",
        "────────────────────────────────────────────────",
        "mean of 2 classes    77.50       41.67   100.000",
        "────────────────────────────────────────────────",
        "a                   100.00",
        "b                        –",
        "pixel accuracy 87.50 %, frequency-weighted IoU 77.50 %, 1 image, 0.5 s per image",
        "Classes without a pixel in the labels: blue.",
    ]
