"""Rules about building a net: the builder's signature, what it returns, what it leaves behind."""

from __future__ import annotations

import inspect
import typing

import torch
from torch import nn

from resnet_zoo.builders import check_builder
from resnet_zoo.conformance.case import Case, listed
from resnet_zoo.conformance.rule import NotApplicable, Rule
from resnet_zoo.conformance.surroundings import surroundings, surroundings_restored, with_random_states_of
from resnet_zoo.errors import InvalidValue


def _signature(case: Case) -> str | None:
    try:
        check_builder(case.builder)
    except InvalidValue as mistake:
        return str(mistake)
    parameters = inspect.signature(case.builder).parameters.values()
    untyped = [parameter.name for parameter in parameters if parameter.annotation is inspect.Parameter.empty]
    if untyped:
        return f"no type is given for {listed(untyped)}"
    needed = [
        p.name for p in parameters if p.default is inspect.Parameter.empty and p.name not in case.arguments
    ]
    if needed:
        return f"no default is given for {listed(needed)}"
    returned = typing.get_type_hints(case.builder)["return"]
    if not (inspect.isclass(returned) and issubclass(returned, nn.Module)):
        return f"the return annotation is {returned!r}, not a class of nn.Module"
    return None


def _construction(case: Case) -> str | None:
    net = case.fresh
    returned = typing.get_type_hints(case.builder)["return"]
    return (
        None
        if isinstance(net, returned)
        else f"the builder returned {type(net).__name__}, not {returned.__name__}"
    )


def _num_features(case: Case) -> str | None:
    num_features = getattr(case.fresh, "num_features", None)
    if isinstance(num_features, int) and not isinstance(num_features, bool) and num_features > 0:
        return None
    return f"num_features is {num_features!r}"


def _reproducible(case: Case) -> str | None:
    first, second = case.build(seed=1).state_dict(), case.build(seed=1).state_dict()
    if list(first) != list(second):
        return f"two builds have different entries: {listed(sorted(set(first) ^ set(second)))}"
    different = [name for name, value in first.items() if not torch.equal(value, second[name])]
    return f"the same seed gave different values of {listed(different)}" if different else None


def _independent(case: Case) -> str | None:
    first, second = case.build(), case.build()
    memory = {tensor.untyped_storage().data_ptr() for tensor in first.state_dict().values() if tensor.numel()}
    shared = [
        name
        for name, tensor in second.state_dict().items()
        if tensor.numel() and tensor.untyped_storage().data_ptr() in memory
    ]
    return f"two nets share the memory of {listed(shared)}" if shared else None


def _in_channels(case: Case) -> str | None:
    if "in_channels" not in inspect.signature(case.builder).parameters:
        raise NotApplicable("the builder has no argument in_channels")
    for channels in (1, 4):
        net = case.build(in_channels=channels).eval()
        try:
            case.features(net, case.images(2, channels=channels))
        except Exception as error:  # a plugin's forward may fail in any way
            return f"in_channels={channels}, images of {channels} channels: {type(error).__name__}: {error}"
    return None


def _global_state(case: Case) -> str | None:
    with surroundings_restored():
        images = case.images(2)
    draws, changed = [], set()
    for seed, with_gradients in ((1, True), (2, False)):
        with (
            surroundings_restored(),
            torch.set_grad_enabled(with_gradients),
            torch.random.fork_rng(devices=[]),
        ):
            with_random_states_of(seed)
            before = surroundings()
            torch.manual_seed(seed)
            case.builder(**case.arguments)(images)
            draws.append(torch.rand(4))
            changed |= {name for name, value in surroundings().items() if value != before.get(name, value)}
    if torch.equal(*draws):
        changed.add("torch's random state, which is seeded anew")
    return f"building the net and running it changes {listed(sorted(changed))}" if changed else None


CONSTRUCTION = (
    Rule(
        "signature",
        "the builder is a documented function whose arguments and return value have types, and defaults",
        "write it as 'def mynet(*, width: int = 64) -> MyNet:' with a docstring; configs and the command line are "
        "checked against this signature",
        _signature,
        needed_by_others=True,
    ),
    Rule(
        "construction",
        "the builder returns the class that it announces",
        "make the return annotation the class of the net, and let the defaults build one",
        _construction,
        needed_by_others=True,
    ),
    Rule(
        "num_features",
        "the net says how many features it gives, in its attribute num_features",
        "set self.num_features in __init__ to an int, the second dimension of what forward returns",
        _num_features,
        needed_by_others=True,
    ),
    Rule(
        "reproducible_construction",
        "the same torch seed gives the same initial weights",
        "draw initial weights from torch alone, not from NumPy, random, hash() or the time",
        _reproducible,
    ),
    Rule(
        "independent_instances",
        "two nets share no parameter and no buffer",
        "create layers and tensors in __init__, not at module or class level or in a default argument",
        _independent,
    ),
)

SURROUNDINGS = (
    Rule(
        "in_channels",
        "where the builder offers in_channels, images with that many channels are taken",
        "pass in_channels on to the first layer",
        _in_channels,
    ),
    Rule(
        "global_state",
        "building and running a net changes nothing outside of it: no seed, no default dtype, no mode",
        "remove calls such as torch.manual_seed, set_default_dtype, set_grad_enabled, random.seed from the net's code; "
        "these belong to whoever trains",
        _global_state,
    ),
)
