"""Packed data sets: the images of a folder in a few large files, with checksums, read like the folder itself."""
