"""Rules about the forward pass: shapes, values, and what eval mode promises."""

from __future__ import annotations

import torch
from torch import Tensor

from resnet_zoo.conformance.case import Case, difference, listed
from resnet_zoo.conformance.rule import Rule


def _output_shape(case: Case) -> str | None:
    net = case.fresh
    larger = case.image_size + case.image_size // 2
    for count, size in ((2, case.image_size), (3, case.image_size), (2, larger)):
        try:
            features = case.features(net, case.images(count, size))
        except Exception:
            if size == larger:  # nets with a fixed image size are allowed
                continue
            raise
        seen = _wrong_features(features, (count, net.num_features))
        if seen:
            return f"{count} images of {size}x{size} gave {seen}, expected ({count}, {net.num_features})"
    return None


def _wrong_features(features: object, expected: tuple[object, ...]) -> str | None:
    if not isinstance(features, Tensor):
        return f"a {type(features).__name__} instead of a tensor"
    if not features.is_floating_point():
        return f"features of type {features.dtype}"
    return None if tuple(features.shape) == expected else f"features of shape {tuple(features.shape)}"


def _finite(case: Case) -> str | None:
    trained = case.build().train()
    with torch.random.fork_rng(devices=[]):
        in_training = case.features(trained, case.images(4))
    outputs = {
        "noise in train mode": in_training,
        "noise in eval mode": case.features(case.settled),
        "black images in eval mode": case.features(case.settled, torch.zeros_like(case.images(2))),
    }
    for images, features in outputs.items():
        bad = int((~features.isfinite()).sum())
        if bad:
            return f"{images}: {bad} of {features.numel()} features are infinite or not a number"
    return None


def _deterministic(case: Case) -> str | None:
    first, second = case.features(case.settled), case.features(case.settled)
    return (
        None
        if torch.equal(first, second)
        else f"two passes differ by {difference(first, second):.1e} (relative)"
    )


def _batch_independence(case: Case) -> str | None:
    images = case.images(3)
    others = images.clone()
    others[1:] = 5 * case.images(2, seed=1) + 3
    first, second = case.features(case.settled, images)[0], case.features(case.settled, others)[0]
    if difference(first, second) > case.rounding:
        return f"the first image's features change by {difference(first, second):.1e} (relative) with its neighbours"
    alone = case.features(case.settled, images[:1])[0]
    if difference(first, alone) > case.rounding:
        return f"an image alone gives features that differ by {difference(first, alone):.1e} (relative)"
    return None


def _train_eval_switch(case: Case) -> str | None:
    net = case.settled_copy()
    for mode in (True, False):
        net.train(mode)
        stuck = [name or "the net" for name, module in net.named_modules() if module.training is not mode]
        if stuck:
            return f"train({mode}) does not reach {listed(stuck)}"
        before = {name: value.clone() for name, value in net.state_dict().items()}
        with torch.random.fork_rng(devices=[]):
            case.features(net, case.images(4))
        if any(module.training is not mode for module in net.modules()):
            return f"a forward pass after train({mode}) changes the mode"
    changed = [name for name, value in net.state_dict().items() if not torch.equal(value, before[name])]
    return f"a forward pass in eval mode changes {listed(changed)}" if changed else None


EVALUATION = (
    Rule(
        "output_shape",
        "images (b, 3, h, w) give float features (b, num_features), whatever b",
        "pool over the image and flatten, so that forward returns one vector of num_features for each image; a net "
        "that takes a single image size says so in an attribute input_size",
        _output_shape,
        needed_by_others=True,
    ),
    Rule(
        "finite_output",
        "features are finite in train and eval mode, for noise and for black images",
        "look for a division or a logarithm that meets zero, and for initial weights that are too large",
        _finite,
    ),
    Rule(
        "deterministic_evaluation",
        "in eval mode the same images give the same features, bit for bit",
        "let dropout and other randomness act only while self.training",
        _deterministic,
    ),
    Rule(
        "batch_independence",
        "in eval mode an image's features do not depend on the other images of the batch",
        "use running statistics in eval mode, as nn.BatchNorm2d does, and no mean or maximum over dimension 0",
        _batch_independence,
    ),
    Rule(
        "train_eval_switch",
        "train() and eval() reach every module, a forward pass keeps the mode, and eval mode changes no state",
        "do not override train(), do not call it in forward, and update buffers only while self.training",
        _train_eval_switch,
    ),
)
