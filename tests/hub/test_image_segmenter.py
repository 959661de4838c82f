import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_hrnet
from keras_hrnet import hub
from keras_hrnet.hub import HRNetBackbone, HRNetImageConverter, HRNetImageSegmenter, HRNetImageSegmenterPreprocessor

# Heads that are small beside a tiny backbone.
SMALL = {"ocr_channels": (8, 4), "isa_channels": (8, 4), "isa_block_size": (4, 4)}


def preprocessor(image_size):
    return HRNetImageSegmenterPreprocessor(HRNetImageConverter(image_size=image_size))


def cross_entropy(logits, labels):
    """The mean, over pixels whose label is not 255, of minus the logarithm of the label's probability."""
    logits = logits.astype("float64")
    logarithms = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    counted = labels != 255
    return -np.take_along_axis(logarithms, np.where(counted, labels, 0)[..., None], axis=-1)[..., 0][counted].mean()


def test_it_is_the_network_of_keras_hrnet_with_the_same_weights(segmenter, variant, images, arrays_of):
    network = keras_hrnet.HRNet(variant, 5, align_corners=True)
    network.set_weights(segmenter.get_weights())
    np.testing.assert_array_equal(arrays_of(segmenter(images)), arrays_of(network(images)))


@pytest.mark.once
@pytest.mark.parametrize("head", ["fcn", "ocr", "isa"])
def test_every_head_has_the_layers_and_weights_of_keras_hrnet_s(head, backbone, variant):
    segmenter = HRNetImageSegmenter(backbone, 5, head=head, **SMALL)
    network = keras_hrnet.HRNet(variant, 5, head=head, align_corners=True, **SMALL)
    assert [weight.path for weight in segmenter.weights] == [weight.path for weight in network.weights]
    assert [weight.shape for weight in segmenter.weights] == [weight.shape for weight in network.weights]
    assert {layer.name for layer in segmenter.layers} == {layer.name for layer in network.layers} | {"supervision"}


@pytest.mark.slow
def test_a_second_loss_is_trained_and_not_seen(backbone, images, labels, arrays_of):
    segmenter = HRNetImageSegmenter(backbone, 5, head="ocr", **SMALL)
    segmenter.compile(run_eagerly=True)
    assert segmenter.output_shape == (None, None, None, 5)
    names = ("logits", "auxiliary_logits")
    both = keras.Model(segmenter.input, {name: segmenter.get_layer(name).output for name in names})
    logits, auxiliary = (arrays_of(both(images))[name] for name in names)
    np.testing.assert_allclose(segmenter.predict(images, verbose=0), logits, rtol=1e-5, atol=1e-5)
    expected = cross_entropy(logits, labels) + 0.4 * cross_entropy(auxiliary, labels)
    assert segmenter.evaluate(images, labels, verbose=0)[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.once
def test_a_config_makes_the_same_segmenter(tiny):
    segmenter = HRNetImageSegmenter(
        tiny(dtype="mixed_bfloat16"),
        7,
        preprocessor((64, 96)),
        head="ocr",
        ocr_channels=(8, 4),
        ocr_dropout=0.1,
        head_kernel_size=3,
        activation="softmax",
        name="mine",
    )
    written = json.dumps(segmenter.get_config(), sort_keys=True)
    copy = HRNetImageSegmenter.from_config(json.loads(written))
    assert json.dumps(copy.get_config(), sort_keys=True) == written
    assert (copy.num_classes, copy.head, copy.activation, copy.name) == (7, "ocr", "softmax", "mine")
    assert copy.get_layer("conv3x3_ocr").filters == 8
    assert copy.preprocessor.image_size == (64, 96)
    for layer in (copy, copy.backbone, copy.get_layer("conv3x3_ocr")):
        assert layer.dtype_policy.name == "mixed_bfloat16"
    assert copy.output.dtype == "float32"


def test_it_predicts_from_arrays_and_from_tf_data_with_and_without_its_preprocessor(backbone, images, arrays_of):
    large = np.repeat(np.repeat(images, 2, axis=1), 2, axis=2)
    segmenter = HRNetImageSegmenter(backbone, 5, preprocessor((33, 49)))
    segmenter.compile(run_eagerly=True)
    expected = segmenter.predict(large, verbose=0)
    assert expected.shape == (2, 33, 49, 5)
    dataset = tf.data.Dataset.from_tensor_slices(large).batch(2)
    np.testing.assert_allclose(segmenter.predict(dataset, verbose=0), expected, atol=1e-5)
    preprocess, segmenter.preprocessor = segmenter.preprocessor, None
    np.testing.assert_allclose(segmenter.predict(dataset.map(preprocess), verbose=0), expected, atol=1e-5)
    # Each pixel was doubled, and its half is the mean of four equal ones.
    np.testing.assert_allclose(arrays_of(segmenter(images)), expected, atol=1e-4)


@pytest.mark.once
@pytest.mark.slow
def test_every_weight_moves_in_one_training_step_with_the_default_loss(sizes, images, labels):
    segmenter = HRNetImageSegmenter(HRNetBackbone(**sizes), 5, preprocessor((33, 49)))
    assert isinstance(segmenter.optimizer, keras.optimizers.Adam)
    segmenter.compile(keras.optimizers.SGD(0.1), run_eagerly=True)  # XLA takes long to compile a step.
    before = segmenter.get_weights()
    history = segmenter.fit(images, labels, verbose=0).history
    assert set(history) == {"loss", "mean_iou"}
    for weight, old in zip(segmenter.weights, before, strict=True):
        # A shift before normalization changes nothing.
        shifts_nothing = weight.path.endswith("/conv/bias")
        assert shifts_nothing or np.any(keras.ops.convert_to_numpy(weight) != old), weight.path


def test_the_default_loss_and_metric_leave_ignored_pixels_out(segmenter, images, labels, arrays_of):
    logits = arrays_of(segmenter(images))
    confusion = keras_hrnet.evaluation.confusion_matrix(labels, logits.argmax(axis=-1), 5)
    scores = segmenter.evaluate(images, labels, verbose=0, return_dict=True)
    assert scores["loss"] == pytest.approx(cross_entropy(logits, labels), rel=1e-5)
    expected = np.nanmean(keras_hrnet.evaluation.confusion.intersection_over_union(confusion))
    assert scores["mean_iou"] == pytest.approx(expected, rel=1e-5)


def test_softmax_gives_probabilities_and_their_loss(segmenter, backbone, images, labels, arrays_of):
    probabilities = HRNetImageSegmenter(backbone, 5, activation="softmax")
    probabilities.set_weights(segmenter.get_weights())
    expected = np.exp(arrays_of(segmenter(images)))
    expected /= expected.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(arrays_of(probabilities(images)), expected, atol=1e-6)
    # Small logits: Keras takes no probability below 1e-7.
    logits = np.random.default_rng(0).normal(size=(*labels.shape, 5)).astype("float32")
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    losses = [float(model.loss(labels, x)) for model, x in ((segmenter, logits), (probabilities, shares))]
    assert losses == pytest.approx([cross_entropy(logits, labels)] * 2, rel=1e-5)


def test_channels_first_gives_the_numbers_and_the_loss_of_channels_last(segmenter, tiny, images, labels, arrays_of):
    first = HRNetImageSegmenter(tiny(data_format="channels_first", align_corners=True), 5)
    first.set_weights(segmenter.get_weights())
    expected, actual = arrays_of(segmenter(images)), arrays_of(first(np.moveaxis(images, -1, 1)))
    np.testing.assert_allclose(np.moveaxis(actual, 1, -1), expected, rtol=1e-5, atol=1e-5)
    first.compile(run_eagerly=True)
    scores = first.evaluate(np.moveaxis(images, -1, 1), labels, verbose=0, return_dict=True)
    assert scores["loss"] == pytest.approx(cross_entropy(expected, labels), rel=1e-5)
    confusion = keras_hrnet.evaluation.confusion_matrix(labels, expected.argmax(axis=-1), 5)
    mean = np.nanmean(keras_hrnet.evaluation.confusion.intersection_over_union(confusion))
    assert scores["mean_iou"] == pytest.approx(mean, rel=1e-5)


@pytest.mark.once
def test_what_is_compiled_is_used(backbone):
    loss = keras.losses.CategoricalCrossentropy()
    segmenter = HRNetImageSegmenter(backbone, 5)
    segmenter.compile("sgd", loss, metrics=[], steps_per_execution=3)
    assert isinstance(segmenter.optimizer, keras.optimizers.SGD)
    assert segmenter.loss is loss
    assert segmenter.steps_per_execution == 3


def test_without_compiling_it_does_not_fit(backbone, images, labels):
    segmenter = HRNetImageSegmenter(backbone, 5, compile=False)
    with pytest.raises(ValueError, match="You must call `compile"):
        segmenter.fit(images, labels)


def test_a_saved_segmenter_computes_the_same_to_the_last_bit(backbone, images, arrays_of, tmp_path):
    segmenter = HRNetImageSegmenter(backbone, 5, preprocessor((33, 49)))
    segmenter.compile(keras.optimizers.RMSprop(0.25))
    segmenter.save(tmp_path / "segmenter.keras")
    loaded = keras.models.load_model(tmp_path / "segmenter.keras")
    assert isinstance(loaded, HRNetImageSegmenter)
    assert loaded.preprocessor.image_size == (33, 49)
    assert float(loaded.optimizer.learning_rate) == 0.25
    assert loaded.loss.ignore_class == 255
    np.testing.assert_array_equal(arrays_of(loaded(images)), arrays_of(segmenter(images)))


def test_a_published_file_loads_into_the_segmenter_and_without_its_head_into_the_backbone(tiny, as_published):
    segmenter = HRNetImageSegmenter(tiny(), 5)
    path = as_published(segmenter)
    report = keras_hrnet.load_checkpoint(segmenter.backbone, path)
    assert len(report.loaded) == len(segmenter.backbone.weights)
    assert "last_layer.3.weight" in report.ignored
    report = keras_hrnet.load_checkpoint(segmenter, path)
    assert len(report.loaded) == len(segmenter.weights)
    assert not report.ignored


@pytest.mark.once
@pytest.mark.parametrize(
    ("preset", "options", "num_classes", "skip_head"),
    [
        ("mmseg_fcn_hr18s_ade20k_160k", {}, 150, False),
        ("mmseg_ocr_hr18s_cityscapes_160k", {}, 19, False),
        ("hf://timm/hrnet_w18_small.ms_in1k", {"num_classes": 5, "image_shape": (32, 32, 3)}, 5, True),
    ],
)
def test_from_preset_knows_the_published_files(preset, options, num_classes, skip_head, monkeypatch):
    loaded = []
    monkeypatch.setattr(hub.image_segmenter, "download", lambda row: row.name)
    monkeypatch.setattr(hub.image_segmenter, "load_checkpoint", lambda *args, **kwargs: loaded.append((args, kwargs)))
    segmenter = HRNetImageSegmenter.from_preset(preset, **options)
    assert loaded == [((segmenter, hub.published.find_published(preset).name), {"skip_head": skip_head})]
    assert segmenter.output_shape[-1] == num_classes
    assert segmenter.head == ("ocr" if "ocr" in preset else "fcn")
    assert segmenter.backbone.image_shape == options.get("image_shape", (None, None, 3))


@pytest.mark.once
def test_a_published_classifier_needs_a_class_count():
    with pytest.raises(TypeError, match=r"whose head is 'classification'\..*Pass num_classes\."):
        HRNetImageSegmenter.from_preset("hf://timm/hrnet_w18_small.ms_in1k")


def test_freezing_the_backbone_leaves_the_head_to_train(segmenter):
    segmenter.backbone.trainable = False
    try:
        trained = {weight.path.partition("/")[0] for weight in segmenter.trainable_weights}
    finally:
        segmenter.backbone.trainable = True
    assert trained == {"last_layer_0", "last_layer_3"}


def test_the_rest_of_the_package_takes_it_for_a_network(segmenter, images, arrays_of):
    labels = arrays_of(keras_hrnet.models.network.labels_model(segmenter)(images))
    np.testing.assert_array_equal(labels, arrays_of(segmenter(images)).argmax(axis=-1))


@pytest.mark.once
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 0}, r"received num_classes=0\. Expected 2 to 255"),
        ({"num_classes": 256}, r"received num_classes=256\. Expected 2 to 255"),
        ({"head": "unet"}, r"received head='unet'\. Expected one of"),
        ({"activation": "relu"}, r"received activation='relu'\. Expected None \(logits\) or 'softmax'"),
    ],
)
def test_a_wrong_argument_is_refused(options, message, backbone):
    with pytest.raises(ValueError, match=message):
        HRNetImageSegmenter(**{"backbone": backbone, "num_classes": 5, **options})


@pytest.mark.once
def test_another_backbone_is_refused():
    with pytest.raises(TypeError, match=r"received backbone='W48'\. Expected an `HRNetBackbone`"):
        HRNetImageSegmenter("W48", 5)


@pytest.mark.parametrize("from_preset", [HRNetImageSegmenter.from_preset, HRNetBackbone.from_preset])
def test_weights_for_bgr_pixels_are_refused_before_they_are_downloaded(from_preset):
    with pytest.raises(ValueError, match=r"for BGR pixels\. Expected weights for RGB pixels\. Pass"):
        from_preset("openseg_w48_ocr_lip")
