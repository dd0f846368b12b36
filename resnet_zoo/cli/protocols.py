"""Testing protocols: one evaluation made of several passes, over views of the images and over checkpoints.

Every pass is an ordinary, exact evaluation of the whole split over all ranks. The class probabilities of the passes are
averaged image by image, and the scores are those of the averages.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from resnet_zoo.backbones.dense import check_fully_convolutional, fully_convolutional
from resnet_zoo.callbacks.checkpoint_io import read_checkpoint
from resnet_zoo.classifier import ImageClassifier
from resnet_zoo.cli.averaging import AveragedPredictions
from resnet_zoo.cli.evaluation import evaluate, publish, result_of, run_pass
from resnet_zoo.cli.run_options import Protocol
from resnet_zoo.cli.run_setup import given_checkpoint, given_checkpoints
from resnet_zoo.cli.training_cli import TrainingCLI
from resnet_zoo.data import ImageBatch, ImageDataModule
from resnet_zoo.data.views import CENTER, View, multi_scale_views, ten_crop_views, usual_scales
from resnet_zoo.errors import InvalidValue
from resnet_zoo.metrics import WeightsName
from resnet_zoo.model import rebuild_backbone
from resnet_zoo.runs import EvaluationResult, RunDirectory
from resnet_zoo.weights import choose_weights

Member = tuple[ImageClassifier, Path | None]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What an evaluation is made of: each member sees every view of every image.

    Attributes:
        protocol: its name.
        views: how the images are looked at.
        members: models with the checkpoints they are loaded from; None for the weights that the model holds.
    """

    protocol: Protocol
    views: Sequence[View]
    members: Sequence[Member]


def plan_of(cli: TrainingCLI) -> Plan:
    """What ``--protocol``, ``--scales`` and ``--ckpt_path`` ask for, checked before anything is made.

    Raises:
        InvalidValue: the data or the backbone do not allow it, or a checkpoint does not fit.
        MissingData: there is no such checkpoint.
    """
    protocol, data = cli.config.protocol, cli.datamodule
    views = views_of(data, protocol, cli.config.scales)
    paths = given_checkpoints(cli)
    members = _ensemble(cli, paths) if len(paths) > 1 else [(cli.model, given_checkpoint(cli))]
    if protocol == "multi_scale":
        smallest = min(cli.config.scales or usual_scales(data.image_size))
        for model, _ in members:
            check_fully_convolutional(model.backbone, data.image_size, smallest)
    return Plan(protocol, views, members)


def views_of(data: ImageDataModule, protocol: Protocol, scales: list[int] | None = None) -> list[View]:
    """The views of a protocol on a data set.

    Args:
        data: the data set.
        protocol: "center", "ten_crop" or "multi_scale".
        scales: shorter sides for "multi_scale"; None for the paper's, in proportion to the size of the images.

    Raises:
        InvalidValue: the data set has no such views, or the scales are not allowed.
    """
    if scales is not None:
        if protocol != "multi_scale":
            raise InvalidValue(
                f"--scales belongs to --protocol multi_scale and has no effect with '{protocol}'. Leave it out."
            )
        if not scales or min(scales) < 1 or len(set(scales)) < len(scales):
            raise InvalidValue(
                f"--scales {scales}: give one or more shorter sides in pixels, each once, e.g. [224,256,384,480,640]."
            )
    if protocol == "center":
        return [CENTER]
    if not data.has_other_views():
        raise InvalidValue(
            f"--protocol {protocol} takes other views from image files, and {type(data).__name__} as configured holds "
            f"its images in memory at one size, {data.image_size}x{data.image_size}, which are evaluated whole. "
            "Use --protocol center."
        )
    if protocol == "ten_crop":
        return ten_crop_views(data.evaluation_transform())
    interpolation = data.evaluation_transform().interpolation
    return multi_scale_views(scales or usual_scales(data.image_size), interpolation)


def evaluate_plan(cli: TrainingCLI, plan: Plan, split: str, directory: RunDirectory) -> EvaluationResult:
    """Make all passes, score the averaged probabilities and write the result file.

    Raises:
        InexactEvaluation: not every image was seen exactly once in every pass.
    """
    data, trainer = cli.datamodule, cli.trainer
    if plan.protocol == "center" and len(plan.members) == 1:
        return evaluate(cli, split, plan.members[0][1], directory)
    averaged = AveragedPredictions(data.num_samples[split], data.num_classes, trainer.world_size)
    total = len(plan.members) * len(plan.views)
    with _collecting(trainer, averaged):
        for model, checkpoint in plan.members:
            whole_images = plan.protocol == "multi_scale"
            with fully_convolutional(model.backbone) if whole_images else nullcontext():
                for view in plan.views:
                    averaged.begin_pass()
                    _make_pass(cli, model, split, checkpoint, view)
                    if trainer.is_global_zero:
                        top1 = model.scores[split].top1
                        said = f"pass {averaged.num_passes}/{total}  {_name(cli, checkpoint)}  {view.name}"
                        print(f"{said}  top1 {top1:.2f}", file=sys.stderr, flush=True)
    model, checkpoint = plan.members[-1]
    one_pass = result_of(cli, model, split, checkpoint)
    scores = averaged.scores(split, complete=not model.evaluates_a_part(split))
    files = [str(path) for _, path in plan.members if path is not None]
    result = dataclasses.replace(
        one_pass,
        **{name: getattr(scores, name) for name in ("top1", "top5", "loss", "correct1", "correct5")},
        evaluated=scores.evaluated,
        checkpoint=one_pass.checkpoint if len(plan.members) == 1 else "",
        checkpoints=files or one_pass.checkpoints,
        protocol=plan.protocol,
        views=[view.name for view in plan.views],
    )
    publish(cli, model, result, directory)
    return result


def _make_pass(
    cli: TrainingCLI, model: ImageClassifier, split: str, checkpoint: Path | None, view: View
) -> None:
    cli.datamodule.view = view
    try:
        run_pass(cli, model, split, checkpoint)
    finally:
        cli.datamodule.view = CENTER


def _name(cli: TrainingCLI, checkpoint: Path | None) -> str:
    return str(checkpoint or cli.config.model.weights)


def _ensemble(cli: TrainingCLI, paths: Sequence[Path]) -> list[Member]:
    """Each checkpoint with a model of its own net: the configured one, or what the checkpoint says it is of."""
    members: list[Member] = []
    chosen: dict[WeightsName, Path] = {}
    for path in paths:
        checkpoint = read_checkpoint(path)
        about = checkpoint.get("resnet_zoo", {})
        names = about.get("class_names")
        if names and list(names) != list(cli.datamodule.class_names):
            raise InvalidValue(
                f"'{path}' was trained on other classes than those of the data ({_first_difference(names, cli)}). "
                "An ensemble needs checkpoints of the same classes."
            )
        built_by, configured = about.get("backbone"), cli.backbone_built_by()
        model = cli.model
        if built_by and built_by != configured:
            backbone = rebuild_backbone(built_by, configured["name"], "--model.backbone")
            model = ImageClassifier(
                backbone, cli.datamodule.num_classes, channels_last=cli.model.channels_last
            )
        model.check_fits(checkpoint)
        model.weights_name = choose_weights(checkpoint, cli.config.weights, path)
        chosen.setdefault(model.weights_name, path)
        members.append((model, path))
    if len(chosen) > 1:
        raise InvalidValue(
            f"'{chosen['raw']}' is of a run judged by its raw weights, '{chosen['ema']}' of one judged by their moving "
            "average. Say which to take of all of them: --weights raw or --weights ema."
        )
    return members


def _first_difference(names: Sequence[str], cli: TrainingCLI) -> str:
    own = cli.datamodule.class_names
    if len(names) != len(own):
        return f"{len(names)} there, {len(own)} here"
    place = next(place for place, pair in enumerate(zip(names, own, strict=True)) if pair[0] != pair[1])
    return f"class {place} is {names[place]!r} there and {own[place]!r} here"


class _Collector(Callback):
    """Adds the logits of every batch of an evaluation to the averages."""

    def __init__(self, averaged: AveragedPredictions) -> None:
        self.averaged = averaged

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *args: Any, **more: Any
    ) -> None:
        """Take the logits, which are the step's output."""
        assert isinstance(outputs, Tensor)
        assert isinstance(batch, ImageBatch)
        unreadable = [image.position for image in batch.unreadable]
        self.averaged.add(batch.indices, batch.labels, outputs, unreadable)

    on_validation_batch_end = on_test_batch_end


@contextmanager
def _collecting(trainer: Trainer, averaged: AveragedPredictions) -> Iterator[None]:
    collector = _Collector(averaged)
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    callbacks.append(collector)
    try:
        yield
    finally:
        callbacks.remove(collector)
