"""Optimizes a network for inference: it computes the same results with fewer operations."""

from __future__ import annotations

import functools
import logging
import math

import keras
import numpy as np

from keras_hrnet.architecture import MIN_SIZE
from keras_hrnet.layers import ConvNorm, Normalize, PyramidConvolution, Rescale, ResizeConcatenate, Stem, Supervision
from keras_hrnet.layers.convolution import NormalizedConvolution
from keras_hrnet.layers.sublayers import sublayers
from keras_hrnet.models.folding import divide_by_deviation, transfer_weights
from keras_hrnet.models.network import InferenceNetwork

# Number of maps that are upsampled before a head's 1x1 convolution, by backend, measured on a CPU. TensorFlow upsamples
# fast; PyTorch and JAX take longer to upsample more channels than the saved multiplications would take.
NUM_JOINED = {"tensorflow": 1, "jax": 3, "torch": 3}

# The largest difference that rounding causes, as a fraction of the largest output: ten times the difference measured
# with random weights, which was 2.4e-4 in float32 and 5.2e-3 in float16. Without attention it was 2.2e-6; a sharp
# softmax amplifies small differences. In bfloat16 it was 1.9e-2 without attention. With attention it was not measured;
# the bound is raised by the same factor as in float16.
MAX_DIFFERENCE = {"float32": 2.5e-3, "float16": 0.05, "bfloat16": 0.4}

# Without these options, XLA takes twice as long to compile. JAX's option `jax_disable_most_optimizations` sets them.
COMPILED_FOR_ONE_RUN = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}

_IMAGE_SIZE = (64, 96)


def optimize_for_inference(
    model: keras.Model,
    *,
    dtype: str | keras.dtype_policies.DTypePolicy | None = None,
    max_difference: float | None = None,
) -> keras.Model:
    """Builds a model that makes the same predictions as `model`, faster.

    Batch normalization is folded into the preceding convolution, and the division of pixels by their deviation into the
    following convolution. The first 1x1 convolution of a head is computed before the coarse maps are upsampled, not
    after. Logits that only training needs are left out. Both models are then run on two small images; their difference,
    which is caused by rounding, is logged by the logger "keras_hrnet".

    The result is only for inference. It has no normalization to train and is not trainable; train `model`, and optimize
    it again. The result is a plain functional model, without the preprocessing of a KerasHub task.

    Args:
        model: a functional model: a network of this package, or a model that contains such a network or its layers.
            Other layers are copied unchanged, and so is a model without anything to fold.
        dtype: dtype policy, or its name, of the float32 layers that have weights; None keeps it. "bfloat16" also halves
            the memory for weights, "mixed_bfloat16" computes in bfloat16 with weights in float32. Use it on processors
            and GPUs that support arithmetic in bfloat16; figures are in `examples/benchmarks/README.md`. Logits stay
            float32. Measured on small networks with random weights, they differ by up to 3 % of the largest logit.
            "float32" is for networks in half precision, which cannot be exported.
        max_difference: maximum difference between the outputs of both models, as a fraction of the largest output. None
            allows the effect of rounding: in float32, 2.5e-3, which covers sharp attention; without attention, 2.2e-6
            was measured.

    Returns:
        A functional `keras.Model` with the same inputs and outputs, and with copies of all weights: nothing is shared
        with `model`, which remains unchanged. The result can be saved and loaded like any other model, and exported on
        any backend. If TensorFlow uses oneDNN, the `predict` method of the result uses its weights as constants; see
        `InferenceNetwork`.

    Raises:
        TypeError: if `model` is not a functional model.
        ValueError: if the dtype policy does not exist, or computes in integers.
        RuntimeError: if the two models differ by more than the effect of rounding, or by more than `max_difference`.

    Reference: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
    Inference", 2018, section 3.2, for the folding.

    Example:

    >>> import keras_hrnet
    >>> variant = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
    >>> model = keras_hrnet.HRNet(variant, num_classes=5, data_format="channels_last")
    >>> fast = keras_hrnet.optimize_for_inference(model)
    >>> fast.output_shape, len(fast.weights) < len(model.weights)
    ((None, None, None, 5), True)
    """
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        raise TypeError(
            f"`optimize_for_inference` received {model!r} of type {type(model).__name__}. Expected a functional "
            "keras.Model. Pass a network of this package, or wrap yours: keras.Model(inputs, outputs)."
        )
    if isinstance(model, keras.Sequential):
        # A Sequential model has `inputs` and `outputs`, but no `output`.
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    rewriting = _Rewriting(None if dtype is None else _checked_policy(dtype))
    copy = keras.models.clone_model(
        _predicting_part(model), clone_function=rewriting.copy, call_function=rewriting.call, recursive=True
    )
    optimized = InferenceNetwork(copy.input, copy.output, name=model.name)
    if getattr(model, "classes", None):
        optimized.classes = model.classes
    rewriting.transfer_weights()
    optimized.trainable = False
    _check_difference(model, optimized, max_difference)
    return optimized


class _Rewriting:
    """The functions that `keras.models.clone_model` applies to each layer: to copy it, and to call the copy."""

    def __init__(self, policy):
        self.policy = policy
        # Pairs of a layer and the layer that replaces it, by the identity of the result of `copy`.
        self.pairs = {}
        self.pyramids = {}
        # Layers that join maps, and the maps, by the identity of the joined tensor, which is kept so that the identity
        # is unique.
        self.joined = {}
        # Layers that normalize pixels, and the pixels, by the identity of the normalized tensor, which is also kept.
        self.normalized = {}
        # Stems whose first kernel will be divided by the deviation of the pixels, and that deviation, by the identity
        # of the stem.
        self.stems = {}

    def copy(self, layer):
        config = layer.get_config()
        if "folded" in config and any(isinstance(inner, NormalizedConvolution) for inner in sublayers(layer)):
            config["folded"] = True
        # Layers without weights keep float32, among them those that compute the logits and the pixels.
        if self.policy is not None and layer.weights and layer.dtype_policy.name == "float32":
            config["dtype"] = self.policy
        if self.policy is not None and self.policy.name == "float32" and layer.compute_dtype in ("float16", "bfloat16"):
            config["dtype"] = self.policy
        copy = type(layer).from_config(config)
        self.pairs[id(copy)] = layer, copy
        return copy

    def call(self, layer, *args, **kwargs):
        if args and id(args[0]) in self.joined and self.is_pointwise(layer):
            join, maps, _ = self.joined[id(args[0])]
            return self.pyramid(layer, join)(maps)
        if isinstance(layer, Stem) and id(args[0]) in self.normalized:
            normalize, pixels, _ = self.normalized[id(args[0])]
            _, deviation = normalize.statistics
            self.stems[id(layer)] = layer, deviation
            # The layer needs another name, because users look up layers by name, and its values differ.
            name = f"{normalize.name}_mean"
            centered = Normalize.from_config({**normalize.get_config(), "divides": False, "name": name})
            args = [centered(pixels), *args[1:]]
        outputs = layer(*args, **kwargs)
        if isinstance(layer, Normalize) and layer.divides:
            self.normalized[id(outputs)] = layer, args[0], outputs
        if isinstance(layer, ResizeConcatenate):
            self.joined[id(outputs)] = layer, args[0], outputs
        return outputs

    def is_pointwise(self, layer):
        return isinstance(layer, ConvNorm) and layer.kernel_size == 1 and layer.strides == 1

    def pyramid(self, layer, join):
        """Returns the layer that replaces the joining of maps and the 1x1 convolution after it."""
        if id(layer) not in self.pyramids:
            convention = join.interpolation, join.align_corners
            arguments = layer.filters, NUM_JOINED[keras.config.backend()], *convention, layer.activation
            pyramid = PyramidConvolution(*arguments, name=layer.name, **layer.plain_options)
            self.pyramids[id(layer)] = pyramid
            self.pairs[id(layer)] = self.pairs[id(layer)][0], pyramid
        return self.pyramids[id(layer)]

    def transfer_weights(self):
        for source, target in self.pairs.values():
            if isinstance(target, keras.layers.Layer):
                transfer_weights(source, target)
        for stem, deviation in self.stems.values():
            divide_by_deviation(stem, deviation)


def _checked_policy(dtype):
    try:
        policy = keras.dtype_policies.get(dtype)
    except (ValueError, TypeError) as error:
        policy, cause = None, error
    else:
        cause = None
    if policy is None or policy.compute_dtype not in MAX_DIFFERENCE or policy.quantization_mode is not None:
        raise ValueError(
            f"`optimize_for_inference` received dtype={dtype!r}. Expected a dtype policy that computes in one of "
            f"{', '.join(MAX_DIFFERENCE)}. Pass 'bfloat16' or 'mixed_bfloat16'; for integers, export the network."
        ) from cause
    return policy


def _predicting_part(model):
    """Returns a plain functional model without the parts that only training needs."""
    outputs = model.output
    supervision = next((layer for layer in model.layers if isinstance(layer, Supervision)), None)
    if supervision is not None and outputs is supervision.output:
        outputs = supervision.input[0]
    return keras.Model(model.input, outputs, name=model.name)


def _check_difference(model, optimized, bound):
    difference = _largest_difference(model, optimized)
    normalizations = sum(isinstance(layer, NormalizedConvolution) and not layer.folded for layer in sublayers(model))
    logging.getLogger("keras_hrnet").info(
        "optimize_for_inference: %r without %d normalizations differs by %.1e of the largest output.",
        model.name,
        normalizations,
        difference,
    )
    dtypes = {layer.compute_dtype for part in (model, optimized) for layer in sublayers(part)}
    if bound is None:
        bound = max(MAX_DIFFERENCE[dtype] for dtype in ("float32", *dtypes) if dtype in MAX_DIFFERENCE)
    # This condition also refuses a difference that is NaN.
    if not difference <= bound:
        raise RuntimeError(
            f"`optimize_for_inference` built from {model.name!r} a model whose output differs by {difference:.1e} of "
            f"the largest output. Expected at most {bound:.0e}, the effect of rounding. Look for weights that are not "
            "finite, or for a custom `call` of the model; otherwise use the model unchanged."
        )


def _largest_difference(model, optimized):
    images = _images_for(model)
    shares = []
    for ours, theirs in zip(*(keras.tree.flatten(_outputs(m, images)) for m in (optimized, model)), strict=True):
        ours, theirs = (keras.ops.convert_to_numpy(keras.ops.cast(x, "float32")) for x in (ours, theirs))
        shares.append(np.max(np.abs(ours - theirs)) / max(np.max(np.abs(theirs)), np.finfo("float32").tiny))
    return float(np.max(shares))


def _outputs(model, images):
    if keras.config.backend() != "jax":
        return model(images, training=False)
    # The model is compiled as a whole and for one run only: a plain call compiles each operation separately, which
    # takes longer.
    import jax

    call = functools.partial(model.stateless_call, training=False)
    variables = [v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]
    outputs, _ = jax.jit(call, compiler_options=COMPILED_FOR_ONE_RUN)(*variables, images)
    return outputs


def _images_for(model):
    """Creates an image of noise and one with a gradient, in [0, 255], for each input of a model."""
    generator = np.random.default_rng(0)
    smallest_scale = min([1, *(layer.scale for layer in model.layers if isinstance(layer, Rescale))])
    sizes = [max(size, math.ceil(MIN_SIZE / smallest_scale)) for size in _IMAGE_SIZE]

    def draw(x):
        batch, *shape = x.shape
        unknown = iter(sizes)
        shape = [next(unknown, 1) if length is None else length for length in shape]
        noise = generator.uniform(0, 255, shape)
        gradient = np.linspace(0, 255, math.prod(shape)).reshape(shape)
        images = [(noise, gradient)[i % 2] for i in range(batch or 2)]
        return keras.ops.convert_to_tensor(np.stack(images).astype(keras.backend.standardize_dtype(x.dtype)))

    return keras.tree.map_structure(draw, model.input)
