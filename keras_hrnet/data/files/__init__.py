"""What lies on disk, and whether training can use it."""
