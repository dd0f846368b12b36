"""A net learns from images that are mixed, erased and repeated, with the loss that RSB trains with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resnet_zoo.cli.main import main

CONFIG = """
trainer: {max_epochs: 16, accelerator: cpu, enable_progress_bar: false}
model:
  backbone: {class_path: tests.small_nets.convolutional}
  optimizer: {class_path: SGD, init_args: {lr: LR, momentum: 0.9}}
  loss: LOSS
data:
  class_path: Synthetic
  init_args:
    {image_size: 8, num_classes: 3, num_train: 96, num_val: 0, num_test: 60, global_batch_size: 12,
     num_workers: 0, repeated_augmentation: 3,
     augment: [{class_path: ColorJitter, init_args: {brightness: 0.2, contrast: 0.2}},
               {class_path: RandomErasing, init_args: {fill: noise}},
               {class_path: MixUp, init_args: {probability: 0.3}},
               {class_path: CutMix, init_args: {probability: 0.3}}]}
logger: none
"""


@pytest.mark.parametrize(("loss", "rate"), [("cross_entropy", 0.05), ("binary_cross_entropy", 0.2)])
def test_a_net_learns_from_augmented_images(tmp_path: Path, loss: str, rate: float) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.replace("LOSS", loss).replace("LR", str(rate)))
    assert main(["fit", "--config", str(config), "--run_dir", str(tmp_path / "run")]) == 0
    result = json.loads((tmp_path / "run" / "test.json").read_text())
    assert result["evaluated"] == 60
    assert result["top1"] > 85  # by chance a third
