"""The doctor: what is wrong with a folder of images, and how fast it can be read."""
