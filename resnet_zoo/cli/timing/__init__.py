"""Measuring steps and models: rounds, contenders, peaks. ``resnet-zoo benchmark step`` and ``model`` use it."""
