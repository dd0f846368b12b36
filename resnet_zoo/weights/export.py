"""Models that leave the house: four formats, each read back and compared with the original before it is kept."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from resnet_zoo.errors import InvalidValue
from resnet_zoo.export_formats import Format
from resnet_zoo.safe_load import load_plain
from resnet_zoo.weights.torchvision import to_torchvision

METADATA = "resnet_zoo"
"""The key under which the description travels, where a format has keys."""


class ExportDiffers(RuntimeError):
    """What was read back does not compute what the original does; the file was not kept."""


@dataclass(frozen=True)
class ExportFormat:
    """One format.

    Attributes:
        suffix: of the file.
        tolerance: largest difference between logits of the file and of the original, as a share of the largest
            logit. Zero where the same tensors run through the same code; more where other kernels add in another
            order.
        packages: what must be installed besides our own requirements.
        write: writes model, example images and description to a path.
        read_back: the function from images to logits that the file holds.
    """

    suffix: str
    tolerance: float
    packages: tuple[str, ...]
    write: Callable[[nn.Module, Tensor, Mapping[str, Any], Path], None]
    read_back: Callable[[Path, nn.Module], Callable[[Tensor], Tensor]]


def export(
    model: nn.Module, path: Path, kind: Format, image_size: int, description: Mapping[str, Any]
) -> float:
    """Write a model in evaluation mode, read the file back and compare.

    Args:
        model: backbone and head, as ``create_model`` makes it; put in evaluation mode.
        path: the file to write; the caller replaces what may be there.
        kind: the format.
        image_size: height and width of the images that are compared, in pixels.
        description: class names, preprocessing and origin, plain types; travels in the file, or, where the format
            has no room for it, beside it.

    Returns:
        the largest difference between the logits of file and original, as a share of the largest logit.

    Raises:
        InvalidValue: a package is missing, or the format does not know the network.
        ExportDiffers: the difference is larger than the format's tolerance.
    """
    chosen = FORMATS[kind]
    check_packages(kind)
    model = model.eval().cpu()
    images = torch.randn(2, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
    chosen.write(model, images, description, path)
    others = torch.randn(3, 3, image_size, image_size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = model(others)
        found = chosen.read_back(path, model)(others)
    difference = float((found - expected).abs().max() / expected.abs().max())
    if not difference <= chosen.tolerance:
        raise ExportDiffers(
            f"the {kind} file computes other logits than the checkpoint: they differ by {difference:.2g} of the "
            f"largest logit, and {chosen.tolerance:g} is allowed. The file was not kept."
        )
    return difference


def check_packages(kind: Format) -> None:
    """Refuse a format whose packages are not installed.

    Raises:
        InvalidValue: names them, and the extra that brings them.
    """
    missing = [name for name in FORMATS[kind].packages if importlib.util.find_spec(name) is None]
    if missing:
        raise InvalidValue(
            f"the format {kind!r} needs {' and '.join(missing)}, not installed here. Install with "
            f"pip install 'resnet-zoo[export]', or export to 'pt2' or 'torchvision', which need nothing more."
        )


def _write_safetensors(model: nn.Module, images: Tensor, description: Mapping[str, Any], path: Path) -> None:
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    importlib.import_module("safetensors.torch").save_file(
        tensors, path, metadata={"format": "pt", METADATA: json.dumps(description)}
    )


def _read_safetensors(path: Path, model: nn.Module) -> Callable[[Tensor], Tensor]:
    tensors = importlib.import_module("safetensors.torch").load_file(path)
    return lambda images: torch.func.functional_call(model, tensors, (images,), strict=True)


def _write_torchvision(model: nn.Module, images: Tensor, description: Mapping[str, Any], path: Path) -> None:
    torch.save({name: tensor.contiguous() for name, tensor in to_torchvision(model).items()}, path)


def _read_torchvision(path: Path, model: nn.Module) -> Callable[[Tensor], Tensor]:
    from torchvision import models

    tensors = load_plain(path, f"the exported file '{path}'")
    name = model.get_submodule("backbone").built_by["name"]  # type: ignore[index]
    head = model.get_submodule("head")
    assert isinstance(head, nn.Linear)
    theirs: nn.Module = models.get_model(name, weights=None, num_classes=head.out_features)
    theirs.load_state_dict(tensors)
    return theirs.eval()


def _exported(model: nn.Module, images: Tensor) -> torch.export.ExportedProgram:
    return torch.export.export(model, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))


def _write_pt2(model: nn.Module, images: Tensor, description: Mapping[str, Any], path: Path) -> None:
    torch.export.save(
        _exported(model, images), path, extra_files={f"{METADATA}.json": json.dumps(description)}
    )


def _read_pt2(path: Path, model: nn.Module) -> Callable[[Tensor], Tensor]:
    return torch.export.load(path).module()


def _write_onnx(model: nn.Module, images: Tensor, description: Mapping[str, Any], path: Path) -> None:
    program = torch.onnx.export(
        _exported(model, images), input_names=["images"], output_names=["logits"], verbose=False
    )
    assert program is not None
    program.model.metadata_props[METADATA] = json.dumps(description)
    program.save(path)


def _read_onnx(path: Path, model: nn.Module) -> Callable[[Tensor], Tensor]:
    session = importlib.import_module("onnxruntime").InferenceSession(
        path, providers=["CPUExecutionProvider"]
    )
    return lambda images: torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])


FORMATS: dict[Format, ExportFormat] = {
    "safetensors": ExportFormat(".safetensors", 0.0, ("safetensors",), _write_safetensors, _read_safetensors),
    "torchvision": ExportFormat(".pth", 1e-5, (), _write_torchvision, _read_torchvision),
    "onnx": ExportFormat(".onnx", 1e-4, ("onnx", "onnxscript", "onnxruntime"), _write_onnx, _read_onnx),
    "pt2": ExportFormat(".pt2", 1e-5, (), _write_pt2, _read_pt2),
}
