import inspect
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_hrnet
from keras_hrnet import Variant, layers
from keras_hrnet.checkpoints.naming import name_of

TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
HEADS = ("fcn", "ocr", "isa", "hierarchical", "classification", None)
# tests/layers tests the layers of all heads on every backend.
SLOW_HEADS = tuple(
    pytest.param(head, marks=[pytest.mark.slow, pytest.mark.once]) for head in ("isa", "hierarchical", "classification")
)
# "hierarchical" holds "ocr", and "fcn" what has no head.
MOSTLY_SLOW_HEADS = ("fcn", *SLOW_HEADS, *(pytest.param(head, marks=pytest.mark.heavy) for head in ("ocr", None)))
NARROW = {"ocr_channels": (16, 8), "isa_channels": (16, 8)}


def build(head="fcn", **options):
    return keras_hrnet.HRNet(TINY, 5, head=head, **NARROW, **options)


# Layers of logits at the size of the image, and of images at several scales.
OF_LOGITS = (layers.Resize, layers.Supervision, layers.Rescale, layers.ScaleBlend)


def images(*size, batch=2):
    return np.random.default_rng(0).integers(0, 256, (batch, *size, 3)).astype("uint8")


def arrays_of(outputs):
    outputs = outputs if isinstance(outputs, dict) else {"logits": outputs}
    return {name: keras.ops.convert_to_numpy(x) for name, x in outputs.items()}


def with_random_statistics(model):
    """Moves normalization away from identity, so that what it does can be seen."""
    generator = np.random.default_rng(1)
    for weight in model.weights:
        if weight.name in ("gamma", "beta", "moving_mean", "moving_variance"):
            weight.assign(generator.uniform(0.5, 1.0, weight.shape))
    return model


# Trainable parameters of backbone, segmentation (19 classes) and classification (1000 classes): the exact counts of the
# published code; rounded, they are the tables of both repositories' READMEs (W48: 65.8M and 77.5M).
PARAMETERS = {
    "HRNetW18Small": (1_477_920, 1_540_819, 13_187_464),
    "HRNetW18SmallV2": (3_860_720, 3_939_579, 15_597_464),
    "HRNetW18": (9_562_260, 9_641_119, 21_299_004),
    "HRNetW30": (25_812_276, 26_024_695, 37_712_220),
    "HRNetW32": (29_305_536, 29_546_515, 41_232_680),
    "HRNetW40": (45_521_216, 45_894_435, 57_557_160),
    "HRNetW44": (54_974_640, 55_424_779, 67_064_984),
    "HRNetW48": (65_325_120, 65_859_379, 77_469_864),
    "HRNetW64": (115_697_600, 116_640_339, 128_059_944),
}


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


BUILT = (
    "HRNetW18Small",
    *(pytest.param(name, marks=pytest.mark.heavy) for name in ("HRNetW18SmallV2", "HRNetW48")),
)


@pytest.mark.once
@pytest.mark.parametrize("name", BUILT)
def test_a_variant_has_as_many_parameters_as_published(name):
    network = getattr(keras_hrnet, name)
    backbone, segmentation, classification = PARAMETERS[name]
    model = network()
    assert trainable(model) == segmentation
    assert sum(map(trainable, (model.get_layer("last_layer_0"), model.get_layer("last_layer_3")))) == (
        segmentation - backbone
    )
    del model
    keras.backend.clear_session()
    assert trainable(network(1000, head="classification")) == classification


# What is counted is what is built: tests/models/test_cost.py.
@pytest.mark.once
@pytest.mark.parametrize("name", PARAMETERS)
def test_the_parameters_counted_are_the_published_ones(name):
    variant, cost = keras_hrnet.models.VARIANTS[name], keras_hrnet.models.cost
    counted = cost(variant, head=None), cost(variant), cost(variant, 1000, head="classification")
    assert tuple(x.parameters for x in counted) == PARAMETERS[name]


# Trainable parameters with OCR and hierarchical attention, 19 classes: exact counts of the published code.
CONTEXT_PARAMETERS = {
    "HRNetW18Small": (3_842_278, 5_613_030),
    "HRNetW18SmallV2": (6_379_278, 8_150_030),
    "HRNetW18": (12_080_818, 13_851_570),
    "HRNetW30": (29_293_834, 31_064_586),
    "HRNetW32": (32_953_894, 34_724_646),
    "HRNetW40": (49_854_774, 51_625_526),
    "HRNetW44": (59_661_598, 61_432_350),
    "HRNetW48": (70_372_678, 72_143_430),
    "HRNetW64": (122_259_558, 124_030_310),
}


@pytest.mark.once
@pytest.mark.parametrize("name", BUILT)
@pytest.mark.parametrize(("head", "column"), [("ocr", 0), ("hierarchical", 1)])
def test_object_context_has_as_many_parameters_as_published(name, head, column):
    assert trainable(getattr(keras_hrnet, name)(head=head)) == CONTEXT_PARAMETERS[name][column]
    keras.backend.clear_session()


@pytest.mark.once
@pytest.mark.parametrize("name", CONTEXT_PARAMETERS)
def test_the_parameters_counted_with_object_context_are_the_published_ones(name):
    variant = keras_hrnet.models.VARIANTS[name]
    counted = tuple(keras_hrnet.models.cost(variant, head=head).parameters for head in ("ocr", "hierarchical"))
    assert counted == CONTEXT_PARAMETERS[name]


SLOW_TO_COMPILE = [pytest.mark.slow, pytest.mark.compiles]


def test_a_network_without_a_head_has_the_backbones_parameters():
    assert trainable(keras_hrnet.HRNetW18Small(head=None)) == PARAMETERS["HRNetW18Small"][0]


@pytest.mark.parametrize(
    "size", [pytest.param((64, 96), marks=pytest.mark.heavy), (65, 97), pytest.param((17, 40), marks=SLOW_TO_COMPILE)]
)
def test_logits_have_the_size_of_the_image(size):
    model = keras_hrnet.HRNet(TINY, 5)
    assert model.output_shape == (None, None, None, 5)
    assert model.predict(images(*size), verbose=0).shape == (2, *size, 5)


@pytest.mark.once
@pytest.mark.slow
def test_predict_takes_images_of_one_size_after_another():
    model = keras_hrnet.HRNet(TINY, 5)
    # TensorFlow gives up on fixed shapes after a few, and then knows sizes at run time only.
    for size in ((64, 96), (65, 97), (48, 33), (64, 96)):
        expected = arrays_of(model(images(*size)))["logits"]
        np.testing.assert_allclose(model.predict(images(*size), verbose=0), expected, rtol=1e-4, atol=1e-4)


def test_the_maps_are_named_by_their_stride():
    model = keras_hrnet.HRNet(TINY, head=None, input_shape=(65, 97, 3))
    assert {name: tuple(x.shape[1:]) for name, x in model.output.items()} == {
        "P2": (17, 25, 4),
        "P3": (9, 13, 8),
        "P4": (5, 7, 16),
        "P5": (3, 4, 32),
    }
    outputs = arrays_of(model(images(65, 97)))
    assert {name: x.shape[1:] for name, x in outputs.items()} == {
        n: tuple(x.shape[1:]) for n, x in model.output.items()
    }


def test_logits_at_stride_4_are_those_before_enlarging():
    full, quarter = keras_hrnet.HRNet(TINY, 5), keras_hrnet.HRNet(TINY, 5, output_stride=4)
    with_random_statistics(full)
    quarter.set_weights(full.get_weights())
    small = quarter(images(35, 49))
    assert tuple(small.shape) == (2, 9, 13, 5)
    expected = layers.resize(small, (35, 49))
    np.testing.assert_allclose(arrays_of(full(images(35, 49)))["logits"], arrays_of(expected)["logits"], atol=1e-6)


# tests/models/test_hierarchical.py tests the hierarchical head so; isa comes to the border as ocr does.
@pytest.mark.parametrize("head", ["fcn", "ocr", pytest.param("classification", marks=pytest.mark.slow), None])
def test_channels_first_gives_the_same_numbers(head):
    last = with_random_statistics(build(head, data_format="channels_last"))
    first = build(head, data_format="channels_first")
    assert first.input_shape == (None, 3, None, None)
    first.set_weights(last.get_weights())
    expected = arrays_of(last(images(35, 49)))
    for name, x in arrays_of(first(np.moveaxis(images(35, 49), -1, 1))).items():
        x = x if x.ndim == 2 else np.moveaxis(x, 1, -1)
        np.testing.assert_allclose(x, expected[name], rtol=1e-5, atol=1e-5)


def test_keras_setting_decides_the_data_format():
    keras.config.set_image_data_format("channels_first")
    try:
        assert keras_hrnet.HRNet(TINY, 5).output_shape == (None, 5, None, None)
    finally:
        keras.config.set_image_data_format("channels_last")


def test_bytes_and_floats_give_the_same_logits():
    model = keras_hrnet.HRNet(TINY, 5)
    pixels = images(35, 49)
    np.testing.assert_array_equal(
        arrays_of(model(pixels))["logits"], arrays_of(model(pixels.astype("float32")))["logits"]
    )


@pytest.mark.parametrize(
    "head",
    [
        "fcn",
        pytest.param("hierarchical", marks=[pytest.mark.slow, pytest.mark.once]),
        *(pytest.param(head, marks=pytest.mark.heavy) for head in ("isa", "classification", "ocr", None)),
    ],
)
def test_a_saved_network_computes_the_same_to_the_last_bit(head, tmp_path):
    model = with_random_statistics(build(head, align_corners=head == "fcn"))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    expected = arrays_of(model(images(35, 49)))
    for name, x in arrays_of(loaded(images(35, 49))).items():
        np.testing.assert_array_equal(x, expected[name])


# Each backend reads what one of the others has saved.
NEXT = {"tensorflow": "jax", "jax": "torch", "torch": "tensorflow"}[keras.config.backend()]


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        pytest.param(other, marks=[] if other == NEXT else pytest.mark.heavy)
        for other in ("tensorflow", "jax", "torch")
        if other != keras.config.backend()
    ],
)
def test_a_network_saved_here_computes_the_same_on_another_backend(other, tmp_path):
    model = with_random_statistics(keras_hrnet.HRNet(TINY, 5))
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images(33, 49))
    code = (
        "import sys, keras, keras_hrnet, numpy as np\n"
        "model = keras.models.load_model(sys.argv[1] + '/model.keras')\n"
        "y = model(np.load(sys.argv[1] + '/images.npy'))\n"
        "np.save(sys.argv[1] + '/logits.npy', keras.ops.convert_to_numpy(y))"
    )
    environment = {**os.environ, "KERAS_BACKEND": other, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=True)
    expected = arrays_of(model(images(33, 49)))["logits"]
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, atol=1e-5 * abs(expected).max())


@pytest.mark.parametrize(
    ("head", "policy"),
    [
        *(("fcn", policy) for policy in ("mixed_float16", "mixed_bfloat16", "float32")),
        *(
            pytest.param(head, "mixed_bfloat16", marks=[pytest.mark.slow, pytest.mark.once])
            for head in HEADS
            if head != "fcn"
        ),
    ],
)
def test_a_dtype_policy_reaches_every_layer_but_those_of_logits(head, policy, sublayers):
    model = build(head, dtype=policy)
    network = model.get_layer("network").layers if head == "hierarchical" else []
    for layer in [*model.layers, *network]:
        for inner in [] if isinstance(layer, keras.layers.InputLayer | keras.Model) else sublayers(layer):
            in_float32 = isinstance(inner, OF_LOGITS) or layer.name == "logits"
            assert inner.dtype_policy.name == ("float32" if in_float32 else policy), inner.path


@pytest.mark.compiles
@pytest.mark.parametrize("head", [*MOSTLY_SLOW_HEADS[:-2], None])
def test_logits_stay_float32_where_half_precision_computes(head):
    for x in arrays_of(build(head, dtype="mixed_float16")(images(64, 64))).values():
        assert str(x.dtype) == ("float16" if head is None else "float32")
        assert np.all(np.isfinite(x.astype("float32")))


def test_the_global_dtype_policy_is_followed():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = keras_hrnet.HRNet(TINY, 5)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("stage2").compute_dtype == "bfloat16"
    assert model.output.dtype == "float32"


# TensorFlow takes long to trace a step; `test_mixed_precision_trains` traces that of a whole network.
EAGERLY = keras.config.backend() == "tensorflow"


@pytest.mark.parametrize("head", MOSTLY_SLOW_HEADS)
def test_every_weight_of_every_head_moves_in_one_training_step(head):
    model = build(head)
    x = images(64, 64)
    generator = np.random.default_rng(0)
    if head is None:
        y = {name: generator.uniform(0, 1, value.shape) for name, value in arrays_of(model(x)).items()}
        model.compile(keras.optimizers.SGD(0.1), dict.fromkeys(y, "mse"), run_eagerly=EAGERLY)
    else:
        y = generator.integers(0, 5, (2,) if head == "classification" else (2, 64, 64)).astype("uint8")
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
        model.compile(keras.optimizers.SGD(0.1), loss, run_eagerly=EAGERLY)
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    for weight, old in zip(model.weights, before, strict=True):
        # At this size the coarsest maps have one pixel an image, and a shift before normalization changes nothing.
        shifts_nothing = weight.name == "bias" and weight.path.endswith("conv/bias")
        assert shifts_nothing or np.any(keras.ops.convert_to_numpy(weight) != old), weight.path


@pytest.mark.compiles
@pytest.mark.slow
def test_mixed_precision_trains():
    model = keras_hrnet.HRNet(TINY, 5, dtype="mixed_float16")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    model.compile(keras.optimizers.SGD(0.01), loss)
    y = np.random.default_rng(0).integers(0, 5, (2, 64, 64)).astype("uint8")
    history = model.fit(images(64, 64), y, verbose=0)
    assert np.isfinite(history.history["loss"][0])


@pytest.mark.once
def test_building_a_network_traces_no_layer(monkeypatch):
    def call(self, inputs):
        raise AssertionError(f"{type(self).__name__} was traced")

    for layer in (layers.Branch, layers.Stage, layers.Transition, layers.Stem, layers.ConvNorm, layers.FuseLayer):
        monkeypatch.setattr(layer, "call", call)
    for layer in (layers.Normalize, layers.Resize, layers.ResizeConcatenate, layers.Supervision, layers.Rescale):
        monkeypatch.setattr(layer, "call", call)
    for layer in (layers.SpatialGather, layers.ObjectContext, layers.InterlacedContext, layers.ScaleAttention):
        monkeypatch.setattr(layer, "call", call)
    for head in HEADS:
        build(head)


@pytest.mark.once
def test_the_resize_convention_reaches_every_fuse_layer(sublayers):
    for options, interpolation, align_corners in (
        ({}, "bilinear", False),
        ({"align_corners": True}, "bilinear", True),
        ({"interpolation": "nearest"}, "nearest", False),
        ({"head": "ocr", "align_corners": True}, "bilinear", True),
        ({"head": "isa", "align_corners": True}, "bilinear", True),
        ({"head": "hierarchical", "align_corners": True}, "bilinear", True),
        ({"head": "classification"}, "nearest", False),
        ({"head": "classification", "interpolation": "bilinear"}, "bilinear", False),
    ):
        model = build(**options)
        resizing = [x for layer in model.layers[1:] for x in sublayers(layer) if hasattr(x, "align_corners")]
        assert len(resizing) >= 9
        assert {x.align_corners for x in resizing} == {align_corners}
        assert {x.interpolation for x in resizing if hasattr(x, "interpolation")} == {interpolation}


@pytest.mark.once
def test_weights_bring_the_convention_of_their_network(published_file):
    def keys(model):
        weights = [(name_of(weight.path), keras.ops.convert_to_numpy(weight)) for weight in model.weights]
        return {name: x.transpose(3, 2, 0, 1) if x.ndim == 4 else x.T for name, x in weights}

    saved = keys(build("ocr"))
    # A published file is known by its name; its network aligns corners.
    path = published_file(saved, "hrnet_ocr_cs_8162_torch11.pth")
    model = build("ocr", weights=path)
    assert model.get_layer("stage2").align_corners
    assert model.get_layer("logits").align_corners
    for name, x in keys(model).items():
        np.testing.assert_array_equal(x, saved[name])
    with pytest.raises(ValueError, match="align_corners=True"):
        build("ocr", weights=path, align_corners=False)
    # Any other file is loaded into what was asked for.
    assert not build("ocr", weights=published_file(saved, "mine.pth")).get_layer("stage2").align_corners


@pytest.mark.once
def test_a_published_file_brings_the_classes_that_it_was_trained_on(published_file):
    def keys(model):
        weights = [(name_of(weight.path), keras.ops.convert_to_numpy(weight)) for weight in model.weights]
        return {name: x.transpose(3, 2, 0, 1) if x.ndim == 4 else x.T for name, x in weights}

    options = {"head": "ocr", **NARROW}
    path = published_file(keys(keras_hrnet.HRNet(TINY, 19, **options)), "hrnet_ocr_cs_8162_torch11.pth")
    assert keras_hrnet.HRNet(TINY, 19, weights=path, **options).class_names[:2] == ("road", "sidewalk")
    own = [f"plant {i}" for i in range(19)]
    assert keras_hrnet.HRNet(TINY, 19, weights=path, class_names=own, **options).class_names == tuple(own)
    # Without the file's head, they are nobody's.
    model = keras_hrnet.HRNet(TINY, 19, align_corners=True)
    keras_hrnet.load_checkpoint(model, path, skip_head=True)
    assert not model.classes.are_named


def test_the_constructors_share_one_signature():
    signatures = {str(inspect.signature(getattr(keras_hrnet, name))) for name in PARAMETERS}
    assert len(signatures) == 1
    own = list(inspect.signature(keras_hrnet.HRNet).parameters)
    assert own == ["variant", *inspect.signature(keras_hrnet.HRNetW48).parameters]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"input_shape": (16, 3000, 3)},
            r"needs a height and width of at least 17\. Received input_shape=\(16, 30",
        ),
        ({"input_shape": (64, 64, 4)}, r"received images of 4 channels without mean"),
        ({"input_shape": (64, 64)}, r"Expected \(height, width, 3\)"),
        ({"input_shape": (64, 64, 3), "data_format": "channels_first"}, r"Expected \(3, height, width\)"),
        ({"head": "unet"}, r"received head='unet'\. Expected one of"),
        ({"num_classes": 0}, r"received num_classes=0\. Expected a whole number of at least 2"),
        ({"num_classes": 1}, r"received num_classes=1\. Expected .* for masks of one object, num_classes=2 with"),
        ({"ocr_channels": (512,)}, r"received ocr_channels=\(512,\)\. Expected two whole numbers"),
        ({"isa_channels": (512, 0)}, r"received isa_channels=\(512, 0\)\. Expected two whole numbers"),
        ({"head_kernel_size": 5}, r"received head_kernel_size=5\. Expected 1 .* or 3"),
        ({"output_stride": 8}, r"received output_stride=8\. Expected 1 .* or 4"),
        ({"interpolation": "cubic"}, r"Received interpolation='cubic'"),
        ({"interpolation": "nearest", "align_corners": True}, r"interpolation='nearest' with align_corners=True"),
        ({"data_format": "NHWC"}, r"Received data_format='NHWC'"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_built(options, message):
    with pytest.raises(ValueError, match=message):
        keras_hrnet.HRNetW18Small(**options)


def test_an_image_too_small_is_refused_when_it_comes():
    model = keras_hrnet.HRNet(TINY, 5)
    with pytest.raises(ValueError, match=r"received an image of height 16 and width 64\. Expected at least 17 each"):
        model(images(16, 64))


def test_something_else_than_a_variant_is_refused():
    with pytest.raises(TypeError, match=r"received variant='W48'\. Expected a `keras_hrnet\.Variant`"):
        keras_hrnet.HRNet("W48")


@pytest.mark.parametrize("options", [{"width": 0}, {"width": 4.5}, {"width": 4, "modules": (1, 0, 1)}])
def test_a_variant_of_no_width_or_depth_is_refused(options):
    with pytest.raises(ValueError, match="Expected whole numbers of at least 1"):
        Variant("mine", **options)


def test_a_variant_without_three_stages_is_refused():
    with pytest.raises(ValueError, match=r"received modules=\(1, 1\)\. Expected three numbers"):
        Variant("mine", 4, modules=(1, 1))
