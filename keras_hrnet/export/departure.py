"""Finds the first layer in which an exported file differs from its Keras model."""

import keras
import numpy as np

from keras_hrnet.export.comparison import LARGEST_SHARE, MEAN_SHARE, relative_error
from keras_hrnet.export.conversion import TFLiteOptions
from keras_hrnet.export.graph import read_graph
from keras_hrnet.export.litert import TFLiteModel
from keras_hrnet.export.quantization import is_inside
from keras_hrnet.models.interface import data_format, images_for


def first_departure(network: keras.Model, content: bytes, image: np.ndarray, options: TFLiteOptions) -> str | None:
    """Finds the first layer whose values in a file differ from Keras's by more than the precision allows.

    Args:
        network: the network that was exported.
        content: the `.tflite` file.
        image: uint8 `(height, width, 3)`, RGB in [0, 255].
        options: the options of the file.

    Returns:
        The name of a layer of the network, or of a nested network; None if only the output differs.
    """
    network, _ = options.logits_model(network)
    made = _made_tensors(content, image)
    allowed = {**LARGEST_SHARE, **MEAN_SHARE}[options.precision]
    for layer, values in _keras_values(network, image):
        for value, found in zip(values, _counterparts(made, layer.name, values), strict=True):
            if found is not None and not relative_error(found, value) <= allowed:
                return layer.name
    return None


def _keras_values(network, image):
    """Yields each layer of a network with its results, channels last, in the order in which they are computed."""
    layers, every = _with_values(network)
    _, *answers = every.predict_on_batch(images_for(network, image[np.newaxis]))
    channels_first = data_format(network) == "channels_first"
    for layer, values in zip(layers, answers, strict=True):
        values = [np.asarray(value) for value in keras.tree.flatten(values)]
        values = [value for value in values if value.ndim == 4 and value.dtype.kind == "f"]
        yield layer, values
        if channels_first:
            # The layers of this package are channels last internally, but others may not be. The tensors of the file
            # show which is the case, because only one of the shapes matches.
            yield layer, [np.moveaxis(value, 1, -1) for value in values]


def _with_values(network):
    """Returns the layers of a network, including nested ones, and a model that returns its output and theirs."""
    layers, values = [], []

    def call(layer, *args, **kwargs):
        if isinstance(layer, keras.Model):
            inner_layers, inner = _with_values(layer)
            outputs, *inner_values = inner(*args, **kwargs)
            layers.extend(inner_layers)
            values.extend(inner_values)
        else:
            outputs = layer(*args, **kwargs)
        layers.append(layer)
        values.append(outputs)
        return outputs

    copy = keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=call)
    return layers, keras.Model(copy.input, [copy.output, *values])


def _made_tensors(content, image):
    """Lists the outputs of layers in a file: (path of the layer, values of the first image), in order."""
    model = TFLiteModel(content, keeps_tensors=True)
    model(image[np.newaxis])
    details = {tensor["index"]: tensor for tensor in model.interpreter.get_tensor_details()}
    graph = read_graph(content)
    consumers = {}
    for operator in graph.operators:
        for tensor in operator.runtime_inputs:
            consumers.setdefault(tensor.index, []).append(operator.layer)
    made = []
    for operator in graph.operators:
        for tensor in operator.outputs:
            inside = [is_inside(layer, (operator.layer,)) for layer in consumers.get(tensor.index, ())]
            values = model.values(details[tensor.index])
            if values is not None and operator.layer and not (inside and all(inside)):
                made.append((operator.layer, _real(values[:1], details[tensor.index])))
    return made


def _real(values, tensor):
    scale, zero = tensor["quantization"]
    return (values.astype(np.float32) - zero) * scale if scale else values


def _counterparts(made, name, values):
    """Returns for each result of a layer the tensor of the file that holds it, or None.

    Tensors are found by the name of the layer and by their shape. Of several, the last ones are the results.
    """
    found = []
    for i, value in enumerate(values):
        tensors = [x for path, x in made if name in path.split("/") and x.shape == value.shape]
        count, following = (sum(x.shape == value.shape for x in some) for some in (values, values[i + 1 :]))
        # If some results have no tensor, such as an unchanged input, it is unknown to which the others belong.
        found.append(tensors[-1 - following] if len(tensors) >= count else None)
    return found
