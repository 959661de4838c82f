"""Makes batches of files inside `tf.data`: reads, decodes, samples, augments and batches them."""
