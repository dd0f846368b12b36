"""Backbones for resnet-zoo."""
