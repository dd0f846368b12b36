"""Activation checkpointing: parts of a net keep their input alone, and compute the rest again in the backward pass.

Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost", arXiv:1604.06174. It costs about one more forward
pass of the parts that it is applied to, and changes no number: not the gradients, not the masks of dropout, and not
the running statistics of batch norm, which the second computation leaves alone.
"""

from resnet_zoo.activation_checkpointing.parts import (
    ActivationCheckpointing,
    checkpoint_activations,
    checkpointable_parts,
)

__all__ = ["ActivationCheckpointing", "checkpoint_activations", "checkpointable_parts"]
