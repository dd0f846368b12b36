"""Weights from elsewhere: torchvision's state dicts, files of several kinds, and where a model's weights came from."""

from resnet_zoo.weights.loading import load_into, read_state_dict
from resnet_zoo.weights.matching import check_fits
from resnet_zoo.weights.selection import choose_weights, has_average, state_of
from resnet_zoo.weights.torchvision import from_torchvision, to_torchvision

__all__ = [
    "check_fits",
    "choose_weights",
    "from_torchvision",
    "has_average",
    "load_into",
    "read_state_dict",
    "state_of",
    "to_torchvision",
]
