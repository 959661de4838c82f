"""The one place that knows TensorFlow by name where another backend may be Keras's."""
