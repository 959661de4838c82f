"""Picture files, found and read in one way by training, evaluation, prediction and export."""
