"""Uses TensorFlow directly for tasks for which Keras may run on another backend."""
