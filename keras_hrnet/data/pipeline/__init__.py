"""Files become batches: read, decoded, drawn, changed and put together inside `tf.data`."""
