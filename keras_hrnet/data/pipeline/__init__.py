"""Makes batches from files inside `tf.data`: reads, decodes, samples, augments and batches them."""
