"""What goes on inside a network: pure functions of a model and a batch. Nothing here trains or writes anything."""

from resnet_zoo.analysis.constructed import TOLERANCE, construct_deeper, make_identity, max_logit_difference
from resnet_zoo.analysis.gates import GateStatistics, gate_statistics
from resnet_zoo.analysis.gradients import (
    LayerGradient,
    first_to_last_ratio,
    gradient_norms,
    gradients_over_updates,
    main_norms,
)
from resnet_zoo.analysis.identity import PERTURBATION, fit_target
from resnet_zoo.analysis.layers import Layer, weighted_layers
from resnet_zoo.analysis.responses import LayerResponse, layer_responses
from resnet_zoo.analysis.stacks import LayerStack

__all__ = [
    "PERTURBATION",
    "TOLERANCE",
    "GateStatistics",
    "Layer",
    "LayerGradient",
    "LayerResponse",
    "LayerStack",
    "construct_deeper",
    "first_to_last_ratio",
    "fit_target",
    "gate_statistics",
    "gradient_norms",
    "gradients_over_updates",
    "layer_responses",
    "main_norms",
    "make_identity",
    "max_logit_difference",
    "weighted_layers",
]
