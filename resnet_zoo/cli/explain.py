"""``resnet-zoo explain``: what a run would do, before it does it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
import yaml

from resnet_zoo.callbacks import EmaSettings
from resnet_zoo.callbacks.ema_decay import decay_of, ema_notes
from resnet_zoo.cli.arguments import Arguments, parse_arguments
from resnet_zoo.cli.building import build
from resnet_zoo.cli.consistency import check_training, configured_rate
from resnet_zoo.cli.expected_time import length_of_training, measured_precision, time_lines
from resnet_zoo.cli.image_pipeline import image_lines
from resnet_zoo.cli.launch import Launch
from resnet_zoo.cli.names import NAMED_KEYS
from resnet_zoo.cli.precision_choice import check_precision, device_of
from resnet_zoo.cli.stand_in import with_stand_in
from resnet_zoo.cli.training_cli import TrainingCLI
from resnet_zoo.errors import InvalidValue, MissingData
from resnet_zoo.optim import Position, StepSchedule, split_parameters

MEASURE = "--measure"
_MOST_EPOCHS_SHOWN = 12
_MOST_NAMES_SHOWN = 6


def main(argv: list[str]) -> int:
    """Print the resolved config with the origin of every value, batches, updates, learning rates, decay groups.

    With ``--measure`` also the hours that the training will take, from a few of its steps on this device.
    """
    words = [word for word in argv if word != MEASURE]
    arguments = parse_arguments(words, NAMED_KEYS)
    cli = parsed(arguments)
    if MEASURE in argv:
        check_precision(measured_precision(cli), device_of("auto"), cli.where("trainer.precision"))
    described = cli.config.data
    print("\n".join([*_config_lines(cli, arguments), *cli.notes]))
    try:
        built = build(cli.parser, cli.config)
    except MissingData as error:
        stand_in = with_stand_in(words, cli.config.data)
        if stand_in is None:
            print(f"\ndata: {error}\nSteps, learning rates and decay groups need the data and are left out.")
            return 0
        print(f"\ndata: {error}\n{stand_in[1]}")
        cli = parsed(stand_in[0])
        built = build(cli.parser, cli.config)
    check_training(built.model, built.data)
    print("\n" + "\n".join(image_lines(described, built.data)))
    print("\n".join(_plan_lines(cli, built.data, built.model)))
    if built.ema.decay is not None:
        print("\n" + "\n".join(_ema_lines(cli, built.data, built.ema)))
    print("\n" + "\n".join(_decay_lines(built.model)))
    if MEASURE in argv:
        print("\n" + "\n".join(time_lines(cli, built.data, built.model, world_size(cli))))
    return 0


def parsed(arguments: Arguments) -> TrainingCLI:
    """A config that is not going to be run.

    Raises:
        UserMistake: something in it is not allowed.
    """
    return TrainingCLI("explain", arguments, Launch("none"), construct=False)


def _config_lines(cli: TrainingCLI, arguments: Arguments) -> Iterator[str]:
    yield "# config: every value that is set, and who set it"
    rows = list(_leaves(yaml.safe_load(cli.resolved_config()), ()))
    shown = [(".".join(path), value, _origin(arguments, path)) for path, value in rows]
    shown = [row for row in shown if not (row[2] == "default" and row[1] is None)]
    width = max(len(f"{key} = {value}") for key, value, _ in shown)
    for key, value, origin in shown:
        yield f"{f'{key} = {value}':<{min(width, 90)}}  # {origin}"


def _leaves(values: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from _leaves(value, (*path, key))
    else:
        yield path, values


def _origin(arguments: Arguments, path: tuple[str, ...]) -> str:
    short = tuple(part for part in path if part != "init_args")
    for length in range(len(short), 0, -1):
        if arguments.option(".".join(short[:length])) is not None and (
            length == len(short) or path[-1] == "class_path"
        ):
            return "command line"
    origin = arguments.config.origins.get(path)
    if origin is None and path[-1] == "class_path":
        origin = arguments.config.origins.get(path[:-1])
    return str(origin) if origin else "default"


def world_size(cli: TrainingCLI) -> int:
    """Number of processes that the config asks for, without starting any; "auto" counts this machine's GPUs."""
    devices, nodes = cli.config.trainer.devices, int(cli.config.trainer.num_nodes)
    if nodes < 1 or str(devices) == "0" or devices == []:
        raise InvalidValue(
            f"{cli.where('trainer.devices')}: trainer.devices={devices} and trainer.num_nodes={nodes} make no process. "
            "Use 1 or more of both."
        )
    if isinstance(devices, str) and devices.lstrip("-").isdecimal():
        devices = int(devices)
    if isinstance(devices, list):
        return len(devices) * nodes
    if devices in ("auto", -1):
        on_gpu = cli.config.trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
        return (torch.cuda.device_count() if on_gpu else 1) * nodes
    if not isinstance(devices, int):
        raise InvalidValue(
            f"{cli.where('trainer.devices')}: cannot tell the number of devices from {devices!r}."
        )
    return devices * nodes


def _plan_lines(cli: TrainingCLI, data: Any, model: Any) -> Iterator[str]:
    ranks, accumulate = world_size(cli), cli.config.trainer.accumulate_grad_batches
    data.check_batch_size(ranks, accumulate)
    yield "# batches and updates"
    per_rank = data.global_batch_size // (ranks * accumulate)
    yield f"global batch {data.global_batch_size} = {per_rank} images x {ranks} ranks x {accumulate} accumulated"
    position = length_of_training(cli, data.num_updates_per_epoch())
    in_all = f"{position.total_steps:,} in all ({position.total_epochs:.1f} epochs)"
    yield f"{position.steps_per_epoch:,} updates an epoch, {in_all}"
    rate, sentence = model.scaled_rate(configured_rate(model), data.global_batch_size)
    schedule = model.lr_schedule
    yield f"# {sentence}"
    warmup = schedule.num_warmup_steps(position)
    yield f"{type(schedule).__name__}, warm-up of {warmup:,} updates ({warmup / position.steps_per_epoch:.3g} epochs)"
    if schedule.hold is not None:
        held = rate * schedule.hold.hold_factor
        yield f"{schedule.hold}; until then it is {held:g} at most, the rates below are those after"
    yield from schedule.remarks(position)
    yield from data.remarks(math.ceil(position.total_epochs))
    yield "epoch  learning rate"
    turns = [schedule.num_warmup_steps(position)]
    if isinstance(schedule, StepSchedule):
        turns += schedule.steps_of_milestones(position.steps_per_epoch)
    for epoch in _epochs_to_show(position, turns):
        step = min(round(epoch * position.steps_per_epoch), position.total_steps)
        at = Position(step, position.steps_per_epoch, position.total_steps)
        yield f"{epoch:>5}  {rate * schedule.factor(at):.6g}"


def _ema_lines(cli: TrainingCLI, data: Any, settings: EmaSettings) -> Iterator[str]:
    position = length_of_training(cli, data.num_updates_per_epoch())
    decay = decay_of(settings, data.global_batch_size, position.total_steps, position.steps_per_epoch)
    yield "# moving average"
    yield from ema_notes(settings, decay, position.total_steps, position.steps_per_epoch)


def _epochs_to_show(end: Position, turns: list[int]) -> list[int]:
    """All epochs, or some of many, with the first ones after the updates at which the schedule turns."""
    last = int(end.total_epochs)
    if last <= _MOST_EPOCHS_SHOWN:
        return list(range(last + 1))
    spread = {round(last * share / _MOST_EPOCHS_SHOWN) for share in range(_MOST_EPOCHS_SHOWN + 1)}
    after = {math.ceil(step / end.steps_per_epoch) for step in turns}
    return sorted(spread | {epoch for epoch in after if epoch <= last})


def _decay_lines(model: Any) -> Iterator[str]:
    yield "# weight decay"
    for group in split_parameters(model, model.decay_norm_and_bias):
        names = group["names"]
        count = sum(parameter.numel() for parameter in group["params"])
        kind = "not decayed" if group.get("weight_decay") == 0.0 else "decayed"
        more = f" and {len(names) - _MOST_NAMES_SHOWN} more" if len(names) > _MOST_NAMES_SHOWN else ""
        yield f"{kind}: {len(names)} tensors, {count:,} values: {', '.join(names[:_MOST_NAMES_SHOWN])}{more}"
