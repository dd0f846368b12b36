"""``resnet-zoo deepen``: a trained plain net with identity layers added, which computes the same."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet_zoo.cli.parser import CommandParser, add_checkpoint_options, positive_int
from resnet_zoo.errors import InvalidValue

if TYPE_CHECKING:
    from torch import Tensor

    from resnet_zoo.experiments.rebuild import SavedModel
    from resnet_zoo.model import ImageModel

DIFFERS = 1
"""Exit code when the deeper net does not compute the same."""

NUM_IMAGES = 64
KEPT = ("pytorch-lightning_version", "epoch", "global_step")

_DESCRIPTION = """\
Build the solution of He et al. 2015 (arXiv:1512.03385, section 1): a deeper plain net that is no worse than the trained
one, by copying its layers and letting the added ones be identities. Compares the logits of both, in evaluation mode, on
images of the checkpoint's run or else on random ones, and writes a checkpoint if they agree to 1e-5.

The new net takes over the arguments of the old one as far as it has them; others may follow: --depth 56.

exit code: 0 if the logits agree, 1 if not, 2 for a mistake in what was given"""


def main(argv: list[str]) -> int:
    """Build, compare, write.

    Returns:
        0 if the logits agree, else 1.

    Raises:
        UserMistake: the checkpoint cannot be read, is not of a plain net, or the nets do not fit.
    """
    parser = CommandParser(
        "deepen", _DESCRIPTION, "resnet-zoo deepen runs/plain/1/checkpoints/last.ckpt --to plain56_cifar"
    )
    parser.add_argument("checkpoint", type=Path, metavar="CKPT", help="a checkpoint of a plain net")
    parser.add_argument(
        "--to", required=True, metavar="NAME", help="the deeper net, of the same family and width"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="the new checkpoint; else NAME.ckpt")
    parser.add_argument("--image-size", type=positive_int, metavar="N", help="of random images, in pixels")
    add_checkpoint_options(parser)
    options, rest = parser.parse_known_args(argv)

    from resnet_zoo.analysis import TOLERANCE, max_logit_difference  # torch is not needed for --help
    from resnet_zoo.experiments.constructed import deepened
    from resnet_zoo.experiments.rebuild import load_model

    saved = load_model(options.checkpoint, options.weights, options.backbone)
    arguments = deeper_arguments(saved, options.to, rest)
    deep, added = deepened(saved.model, options.to, **arguments)
    images = list(_images(options.checkpoint, saved, options.image_size))
    difference = max_logit_difference(saved.model, deep, images)
    count = sum(len(batch) for batch in images)
    print(
        f"{saved.name} -> {options.to}: {added} blocks added; max |logit difference| {difference:.3g} on {count} images"
    )
    if not difference <= TOLERANCE:
        print(f"This is more than {TOLERANCE:g}: the two do not compute the same, and nothing was written.")
        return DIFFERS
    file = options.out or Path(f"{options.to}.ckpt")
    save(file, options.checkpoint, deep)
    print(file)
    return 0


def deeper_arguments(saved: SavedModel, name: str, words: list[str]) -> dict[str, Any]:
    """Arguments of the deeper net: the shallow one's where it has them, and what the command line adds."""
    from resnet_zoo.cli.backbone_arguments import parse_backbone_arguments
    from resnet_zoo.registry import registry

    builder = registry.resolve(name).load()
    accepted = inspect.signature(builder).parameters
    taken = {key: value for key, value in saved.built_by["arguments"].items() if key in accepted}
    return {**taken, **parse_backbone_arguments(name, builder, words)}


def _images(checkpoint: Path, saved: SavedModel, image_size: int | None) -> Iterator[Tensor]:
    import torch

    from resnet_zoo.experiments.rebuild import load_data
    from resnet_zoo.experiments.scoring import batches
    from resnet_zoo.registry import registry

    config = checkpoint.resolve().parent.parent / "config.yaml"
    if image_size is None and config.is_file():
        data = load_data(config)
        split = data.test_split_name() or "train"
        yield from (images for images, _ in batches(data, split, limit=500))
        return
    size = image_size or registry.resolve(saved.built_by["name"]).figures.get("input_size")
    if size is None:
        raise InvalidValue(f"'{checkpoint}' does not say how large its images are. Give --image-size.")
    channels = saved.built_by["arguments"].get("in_channels", 3)
    yield torch.randn(NUM_IMAGES, channels, size, size, generator=torch.Generator().manual_seed(0))


def save(file: Path, source: Path, deep: ImageModel) -> None:
    """Write a checkpoint without optimizer: weights, and how the backbone was built."""
    import torch

    from resnet_zoo.runs import replacing
    from resnet_zoo.safe_load import load_plain

    content = load_plain(source, f"checkpoint '{source}'")
    kept = {key: content[key] for key in KEPT if key in content}
    described = {**content["resnet_zoo"], "backbone": deep.backbone.built_by}
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as temporary:
        torch.save({**kept, "state_dict": deep.state_dict(), "resnet_zoo": described}, temporary)
