"""One file a format: how the published weight files name what this package's layers hold."""
