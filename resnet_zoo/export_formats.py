"""The kinds of files that ``resnet-zoo export`` writes, by name. Standard library only: its help shows them."""

from __future__ import annotations

from typing import Literal

Format = Literal["safetensors", "torchvision", "onnx", "pt2"]
