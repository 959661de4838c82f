"""What holds for every loss of label images."""

import types

import keras
import numpy as np
import pytest

from keras_hrnet.training.losses import CrossEntropy, Dice, OhemCrossEntropy, RegionMutualInformation, SumOfLosses

LOSSES = {
    "cross_entropy": lambda **options: CrossEntropy((1.0, 2.0, 0.5, 1.0, 1.5), **options),
    "ohem": lambda **options: OhemCrossEntropy(0.7, 50, (1.0, 2.0, 0.5, 1.0, 1.5), **options),
    "region_mutual_information": lambda **options: RegionMutualInformation(5, **options),
}


@pytest.fixture(params=LOSSES)
def make_loss(request):
    """The constructor of each loss, for five classes."""
    return LOSSES[request.param]


def network(policy="float32"):
    return keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.Conv2D(5, 3, padding="same", dtype=policy)],
    )


def images(labels):
    return np.random.default_rng(1).standard_normal((*labels.shape, 3)).astype("float32")


def test_what_is_ignored_has_no_part_in_it(make_loss, batch, value_and_gradient):
    labels, logits = batch
    loss = make_loss()
    value, gradient = value_and_gradient(loss, labels, logits)
    other = np.where((labels == 255)[..., None], -logits, logits)
    np.testing.assert_allclose(value_and_gradient(loss, labels, other)[0], value, rtol=1e-6)
    assert not gradient[labels == 255].any()
    assert gradient[labels != 255].any()


def test_an_ignored_crop_has_no_gradient(make_loss, batch, value_and_gradient):
    labels, logits = batch
    loss = make_loss()
    value, gradient = value_and_gradient(loss, np.full_like(labels, 255), logits)
    # The neighborhoods of nothing are the same in both: 9 eigenvalues of 5e-4 for each of 5 classes.
    nothing = 0.5 * 5 * 9 * np.log(5e-4) / (2 * 9)
    np.testing.assert_allclose(value, nothing if isinstance(loss, RegionMutualInformation) else 0, rtol=1e-6)
    assert not gradient.any()


@pytest.mark.parametrize("label", [5, 254])
def test_a_label_beyond_the_classes_gives_nan_and_finite_gradients(make_loss, batch, value_and_gradient, label):
    labels, logits = batch
    labels[1, 2, 3] = label
    loss = make_loss()
    value, gradient = value_and_gradient(loss, labels, logits)
    assert np.isnan(value)
    assert np.isfinite(gradient).all()
    assert gradient.any()
    assert not gradient[1, 2, 3].any()


def test_logits_that_are_nan_give_nan(make_loss, batch, value_of):
    labels, logits = batch
    labels[0, 0, 0] = 0
    logits[0, 0, 0, 0] = np.nan
    assert np.isnan(value_of(make_loss(), labels, logits))


def test_another_label_may_be_the_ignored_one(make_loss, batch, value_of):
    labels, logits = batch
    negative = np.where(labels == 255, -1, labels.astype("int32"))
    assert value_of(make_loss(ignore_label=-1), negative, logits) == value_of(make_loss(), labels, logits)


def test_channels_may_come_first(make_loss, batch, value_of):
    labels, logits = batch
    first = np.ascontiguousarray(np.moveaxis(logits, -1, 1))
    expected = value_of(make_loss(), labels, logits)
    np.testing.assert_allclose(value_of(make_loss(data_format="channels_first"), labels, first), expected, rtol=1e-6)


def test_labels_may_have_a_channel(make_loss, batch, value_of):
    labels, logits = batch
    assert value_of(make_loss(), labels[..., None], logits) == value_of(make_loss(), labels, logits)


def test_half_precision_logits_are_computed_in_float32(make_loss, batch, value_and_gradient, value_of):
    labels, logits = batch
    half = keras.ops.cast(logits, "bfloat16")
    value, _ = value_and_gradient(make_loss(), labels, half)
    assert value.dtype == "float32"
    exact = keras.ops.convert_to_numpy(keras.ops.cast(half, "float32"))
    np.testing.assert_allclose(value, value_of(make_loss(), labels, exact), rtol=1e-6)


def test_weights_move_in_fit_also_in_mixed_precision(make_loss, batch):
    labels, _ = batch
    model = network("mixed_float16")
    before = [np.array(weight) for weight in model.get_weights()]
    model.compile(keras.optimizers.SGD(0.1), make_loss())
    history = model.fit(images(labels), labels, batch_size=2, verbose=0)
    assert np.isfinite(history.history["loss"][0])
    for old, new in zip(before, model.get_weights(), strict=True):
        assert np.isfinite(new).all()
        assert (old != new).all()


def test_a_saved_model_keeps_it(make_loss, batch, tmp_path):
    labels, _ = batch
    model = network()
    model.compile(keras.optimizers.SGD(0.1), make_loss(ignore_label=254, name="mine"))
    labels[labels == 255] = 254
    expected = model.test_on_batch(images(labels), labels)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.loss.get_config() == model.loss.get_config()
    assert loaded.test_on_batch(images(labels), labels) == expected


def test_sizes_may_be_unknown_in_a_graph(make_loss, batch):
    if keras.config.backend() != "tensorflow":
        pytest.skip("only TensorFlow traces unknown sizes")
    import tensorflow as tf

    signature = [tf.TensorSpec((None, None, None), "uint8"), tf.TensorSpec((None, None, None, 5), "float32")]
    traced = tf.function(make_loss(), input_signature=signature)
    np.testing.assert_allclose(float(traced(*batch)), float(make_loss()(*batch)), rtol=1e-6)


def test_replicas_share_it(make_loss, batch, monkeypatch):
    if keras.config.backend() != "tensorflow":
        pytest.skip("only TensorFlow has distribution strategies")
    import tensorflow as tf

    alone = float(make_loss()(*batch))
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: types.SimpleNamespace(num_replicas_in_sync=2))
    np.testing.assert_allclose(float(make_loss()(*batch)), alone / 2, rtol=1e-6)


def test_float_labels_are_refused_before_a_step(make_loss, batch):
    labels, logits = batch
    with pytest.raises(TypeError, match=r"received labels of dtype float32.*Expected integers.*Convert"):
        make_loss()(labels.astype("float32"), logits)
    model = network()
    model.compile("sgd", make_loss())
    with pytest.raises(TypeError, match="received labels of dtype float32"):
        model.fit(images(labels), labels.astype("float32"), verbose=0)


def test_weights_of_samples_and_of_classes_in_fit_are_refused(make_loss, batch):
    labels, _ = batch
    model = network()
    model.compile("sgd", make_loss())
    with pytest.raises(ValueError, match=r"received a sample_weight.*Expected only images and labels.*class_weights"):
        model.train_on_batch(images(labels), labels, sample_weight=np.ones(2, "float32"))


def test_other_sizes_are_refused(make_loss, batch):
    labels, logits = batch
    with pytest.raises(ValueError, match=r"\(2, 16, 24\) and logits of \(2, 4, 6\).*the same size.*output_stride=1"):
        make_loss()(labels, logits[:, :4, :6])
    with pytest.raises(ValueError, match=r"labels of shape \(2, 16, 24, 5\).*one integer for each pixel.*argmax"):
        make_loss()(np.zeros((2, 16, 24, 5), "uint8"), logits)
    with pytest.raises(ValueError, match=r"logits of rank 2.*rank 4.*head for segmentation"):
        make_loss()(labels, logits[:, 0, 0])


def test_an_ignored_label_that_is_no_integer_is_refused(make_loss):
    with pytest.raises(TypeError, match=r"received ignore_label=None.*Expected an integer.*Pass"):
        make_loss(ignore_label=None)


def test_another_data_format_is_refused(make_loss):
    with pytest.raises(ValueError, match="data_format='channels'"):
        make_loss(data_format="channels")


@pytest.mark.once
def test_a_loss_is_named_like_its_class_each_time():
    for _ in range(2):
        names = [CrossEntropy().name, Dice().name, RegionMutualInformation(5).name, SumOfLosses([Dice()]).name]
        assert names == ["cross_entropy", "dice", "region_mutual_information", "sum_of_losses"]
