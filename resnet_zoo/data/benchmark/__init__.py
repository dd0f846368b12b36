"""How fast a data set reaches the training, beside the loaders that others would use on the same files."""
