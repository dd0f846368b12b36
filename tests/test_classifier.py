"""The classifier's own properties: its update, its evaluation, its learning rate, its precision."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import nn
from torch.nn.functional import cross_entropy

from resnet_zoo import compiling, create_backbone
from resnet_zoo.callbacks import quieten_lightning
from resnet_zoo.classifier import ImageClassifier
from resnet_zoo.compiling import CompileSettings
from resnet_zoo.data import ImageBatch, Synthetic
from resnet_zoo.errors import InvalidValue
from resnet_zoo.optim import HoldUntilTrainError, StepSchedule


def _classifier(**arguments: Any) -> ImageClassifier:
    torch.manual_seed(0)
    backbone = create_backbone("resnet_cifar", depth=8, width=4, norm="none")
    return ImageClassifier(backbone, num_classes=10, **{"optimizer": _sgd, **arguments})


def _sgd(parameters: Any) -> torch.optim.SGD:
    return torch.optim.SGD(parameters, lr=0.1)


def _data(**arguments: Any) -> Synthetic:
    sizes = {"num_train": 40, "num_val": 10, "num_test": 10, "image_size": 8, "global_batch_size": 16}
    return Synthetic(**{**sizes, **arguments})


def _trainer(tmp_path: Path, **arguments: Any) -> Trainer:
    quieten_lightning()
    quiet = {
        "logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False,
    }  # fmt: skip
    return Trainer(
        default_root_dir=tmp_path, accelerator="cpu", use_distributed_sampler=False, **quiet, **arguments
    )


def _trained(tmp_path: Path, accumulate: int, **data: Any) -> ImageClassifier:
    model = _classifier()
    _trainer(tmp_path, max_epochs=1, accumulate_grad_batches=accumulate).fit(model, datamodule=_data(**data))
    return model


def test_accumulation_changes_nothing_but_the_rounding(tmp_path: Path) -> None:
    """40 images in batches of 16 leave a last update of 8; each accumulated window must be the same mean."""
    whole, parts = _trained(tmp_path, 1), _trained(tmp_path, 4)
    for first, second in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-6)


def test_the_loss_of_a_slot_weighs_each_image_of_the_update_alike() -> None:
    model = _classifier(label_smoothing=0.1)
    images, labels = torch.randn(3, 3, 8, 8), torch.tensor([1, 2, -1])
    model._loss_scale = 4.0  # two ranks, two accumulated batches
    batch = ImageBatch(images, labels, torch.tensor([0, 1, -1]), None, update_size=7)
    expected = cross_entropy(model(images[:2]), labels[:2], reduction="sum", label_smoothing=0.1) * 4 / 7
    torch.testing.assert_close(model.training_step(batch, 0), expected)
    assert model.train_counts.scores().evaluated == 2


def _learning_rates(model: ImageClassifier) -> list[float]:
    """Filled while the model trains: the learning rate of every micro-batch."""
    seen: list[float] = []
    step = model.training_step

    def watched(batch: ImageBatch, batch_idx: int) -> torch.Tensor:
        seen.append(model.learning_rate())
        return step(batch, batch_idx)

    model.training_step = watched  # type: ignore[method-assign]
    return seen


def test_training_follows_the_schedule_update_by_update(tmp_path: Path) -> None:
    schedule = StepSchedule(milestones=[1.0], gamma=0.1, warmup_steps=2, warmup_start_factor=0.5)
    model = _classifier(lr_schedule=schedule)
    seen = _learning_rates(model)
    _trainer(tmp_path, max_epochs=2).fit(model, datamodule=_data())
    assert seen == pytest.approx([0.05, 0.075, 0.1, 0.01, 0.01, 0.01])


@pytest.mark.parametrize(("train_error", "held"), [(99.9, [0.01, 0.01, 0.1]), (0.1, [0.01, 0.01, 0.01])])
@pytest.mark.parametrize("log_every_n_steps", [1, 50])
def test_the_hold_is_released_by_the_training_error_and_not_by_what_is_logged(
    tmp_path: Path, train_error: float, held: list[float], log_every_n_steps: int
) -> None:
    hold = HoldUntilTrainError(0.1, train_error, window_steps=2)
    model = _classifier(lr_schedule=StepSchedule(milestones=[9.0], hold=hold))
    seen = _learning_rates(model)
    trainer = _trainer(tmp_path, max_epochs=1, log_every_n_steps=log_every_n_steps)
    trainer.fit(model, datamodule=_data())
    assert seen == pytest.approx(held)


@pytest.mark.parametrize(("decays", "groups"), [(True, 1), (False, 2)])
def test_decay_groups_are_switchable(decays: bool, groups: int) -> None:
    model = ImageClassifier(create_backbone("resnet20_cifar", width=4), 10, decay_norm_and_bias=decays)
    optimizer = model.configure_optimizers()
    assert len(optimizer.param_groups) == groups
    held = sum(len(group["params"]) for group in optimizer.param_groups)
    assert held == len(list(model.parameters()))


def test_half_precision_leaves_the_norms_in_float32() -> None:
    model = ImageClassifier(create_backbone("resnet20_cifar", width=4), 10)
    statistics = copy.deepcopy(model.state_dict())
    model.to(torch.bfloat16)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_mean.dtype == module.weight.dtype == torch.float32
        elif isinstance(module, nn.Conv2d):
            assert module.weight.dtype == torch.bfloat16
    name = "backbone.stem.norm.running_var"
    assert torch.equal(model.state_dict()[name], statistics[name])
    logits = model.train()(torch.randn(4, 3, 8, 8))
    assert logits.dtype == torch.bfloat16
    assert logits.isfinite().all()


def test_inputs_reach_the_backbone_in_channels_last() -> None:
    model = _classifier(channels_last=True)
    seen: list[bool] = []
    model.backbone.register_forward_pre_hook(
        lambda module, args: seen.append(args[0].is_contiguous(memory_format=torch.channels_last))
    )
    model(torch.randn(2, 3, 8, 8))
    assert seen == [True]


@pytest.mark.parametrize("compiler", ["none", pytest.param("torch's", marks=pytest.mark.slow)])
def test_a_compiled_backbone_keeps_its_keys(
    compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiler == "none":
        monkeypatch.setattr(torch, "compile", lambda forward, **options: forward)
        monkeypatch.setattr(compiling, "what_compiling_lacks", lambda device: None)
    model = _classifier(compile=CompileSettings(backbone=True))
    keys = list(model.state_dict())
    model.trainer = _trainer(tmp_path)
    model.setup("fit")
    assert model.backbone._compiled_call_impl is not None
    assert list(model.state_dict()) == keys


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"label_smoothing": 1.0}, r"label_smoothing=1.0 is outside \[0, 1\)"),
        ({"num_classes": 1}, "num_classes=1: a classifier needs at least 2 classes"),
    ],
)
def test_values_out_of_range_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        ImageClassifier(create_backbone("resnet20_cifar", width=4), **{"num_classes": 10, **arguments})


def test_a_module_that_is_no_backbone_is_refused() -> None:
    with pytest.raises(InvalidValue, match="Linear has no whole number 'num_features'"):
        ImageClassifier(nn.Linear(3, 3), num_classes=10)
