"""Runs a network on many images: optimizes it if that saves time, and compiles for fewer image sizes than Keras."""

import functools
import logging

import keras
import numpy as np

from keras_hrnet.models.inference import COMPILED_FOR_ONE_RUN, optimize_for_inference
from keras_hrnet.models.interface import ForeignNetwork, returns_labels
from keras_hrnet.models.network import InferenceNetwork, Network

NUM_QUICK_RUNS = 16
"""The number of runs of a shape before JAX compiles it with optimizations. HRNetW18SmallV2 at 360x480 takes 6 s to
compile without them and 0.6 s per run, and 12 s and 0.4 s with them (one AMD EPYC core)."""

MOST_PROGRAMS = 32
"""The number of shapes for which JAX's programs are kept."""


NUM_WORTH_OPTIMIZING = {"tensorflow": 50, "torch": 50, "jax": 300}
"""The number of images from which optimizing the network first saves time, estimated for each backend. On JAX, its
check compiles both networks, which takes 15 s for HRNetW18SmallV2."""

MAX_DIFFERENCE = 1e-4
"""The largest difference between the logits of an optimized network and of its original, as a share of the largest
logit: forty times the rounding error measured without attention. Labels then differ only where two classes have almost
the same score."""


def optimized_for(model: keras.Model | ForeignNetwork, num_images: int) -> keras.Model | ForeignNetwork:
    """Returns the network for predicting a number of images: the original, or the result of `optimize_for_inference`.

    Only float32 networks of this package are optimized, if that saves time and the results differ only by rounding.
    """
    is_plain = type(model) is Network and not returns_labels(model)
    if not is_plain or num_images < NUM_WORTH_OPTIMIZING[keras.config.backend()]:
        return model
    if {layer.compute_dtype for layer in model.layers} != {"float32"}:
        return model
    try:
        return optimize_for_inference(model, max_difference=MAX_DIFFERENCE)
    except RuntimeError as error:
        logging.getLogger("keras_hrnet").info("The network is used without optimization. %s", error)
        return model


class Runner:
    """Runs a network's `predict_on_batch`, and compiles less often if the sizes of images differ.

    The first shape is compiled by Keras. For all other shapes, TensorFlow traces one function for images of any size;
    Keras would trace up to three functions. JAX has to compile each shape: at first without the optimizations that
    take most of the time, and with them once a shape has occurred often. Instead of compiling another shape for an
    incomplete batch, copies of the last image are added to it. PyTorch compiles nothing. Labels and logits are the same
    in all cases, except for rounding.

    Args:
        model: a functional model or a foreign network. If its class overrides how Keras predicts, its own method is
            used.
    """

    def __init__(self, model: keras.Model | ForeignNetwork) -> None:
        self.model = model
        self._run_other = None
        if _predicts_as_keras(model):
            self._run_other = {"tensorflow": self._run_traced, "jax": self._run_compiled}.get(keras.config.backend())
        self._first = None
        self._programs = {}

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Predicts a batch of images in the layout of the network."""
        kind = images.shape, images.dtype
        # Keras drops its function when it becomes invalid, as `InferenceNetwork` does after `set_weights`.
        if self._first is None or getattr(self.model, "predict_function", None) is None:
            self._first, self._programs = kind, {}
        if kind == self._first or self._run_other is None:
            return self.model.predict_on_batch(images)
        return self._run_other(images)

    def _run_traced(self, images):
        import tensorflow as tf

        dtype = images.dtype.name
        if dtype not in self._programs:
            signature = tf.TensorSpec((None, *self.model.inputs[0].shape[1:]), dtype)
            # AutoGraph is turned off, as in Keras, because layers do not need it.
            step = tf.autograph.experimental.do_not_convert(lambda x: self.model.predict_step((x,)))
            self._programs[dtype] = tf.function(step, input_signature=[signature])
        return self._programs[dtype](tf.convert_to_tensor(images)).numpy()

    def _run_compiled(self, images):
        count, size = len(images), self._full_size(images)
        images = np.concatenate([images, np.repeat(images[-1:], size - count, axis=0)])
        kind = images.shape, images.dtype
        if kind == self._first:
            return self.model.predict_on_batch(images)[:count]
        variables = [[each.value for each in group] for group in _variables(self.model)]
        num_runs, program = self._programs.pop(kind, (0, None))
        if num_runs in (0, NUM_QUICK_RUNS):
            program = self._compile(variables, images, None if num_runs else COMPILED_FOR_ONE_RUN)
        self._programs[kind] = num_runs + 1, program  # The most recently used one is last.
        if len(self._programs) > MOST_PROGRAMS:
            del self._programs[next(iter(self._programs))]
        outputs, _ = program(*variables, images)
        return np.array(outputs)[:count]

    def _full_size(self, images):
        """Returns the batch size to run: the smallest sufficient one that is compiled, or the number of images."""
        kinds = [self._first, *self._programs]
        sizes = [shape[0] for shape, dtype in kinds if (shape[1:], dtype) == (images.shape[1:], images.dtype)]
        return min([size for size in sizes if size >= len(images)], default=len(images))

    def _compile(self, variables, images, options):
        import jax

        call = jax.jit(functools.partial(self.model.stateless_call, training=False))
        return call.lower(*variables, images).compile(compiler_options=options)


def _variables(model):
    return model.trainable_variables, model.non_trainable_variables


def _predicts_as_keras(model):
    if isinstance(model, ForeignNetwork) or model.run_eagerly or keras.distribution.distribution() is not None:
        return False
    steps = keras.Model.predict_step, InferenceNetwork.predict_step
    kind = type(model)
    return kind.predict_on_batch is keras.Model.predict_on_batch and kind.predict_step in steps
