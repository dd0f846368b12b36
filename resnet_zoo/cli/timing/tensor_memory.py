"""How many bytes of tensors are alive, and were at most: counted, so that it is the same on every machine."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from resnet_zoo.cli.timing.training_step import TrainingStep

COUNTED = (2, 4)
"""Batch sizes: small enough for any net to be counted in seconds; one image is too few for batch norm."""


class TensorMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within the context, follows every tensor's memory from the operation that makes it to its end.

    What an operation takes and gives back inside, as a convolution's workspace, is not seen, nor is what an allocator
    keeps in reserve.

    Args:
        existing: tensors from before, whose memory counts as well.

    Attributes:
        history: bytes that were alive at the end of each operation so far.
    """

    def __init__(self, existing: Iterable[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.history: list[int] = []
        self._alive = 0
        self._known: set[int] = set()
        for tensor in existing:
            self._note(tensor)

    def __torch_dispatch__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run an operation and note what it made."""
        result = function(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, Tensor):
                self._note(value)
        self.history.append(self._alive)
        return result

    def _note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._known:  # a view, or the result of an operation in place
            return
        self._known.add(key)
        self._alive += storage.nbytes()
        # An end at the exit of the interpreter is of no interest.
        weakref.finalize(storage, self._forget, key, storage.nbytes()).atexit = False

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._alive -= size


def history_of_step(step: TrainingStep) -> list[int]:
    """Bytes of tensors after each operation of a step, of what is there between two steps as well.

    The step is made once before it is counted: from the second one on there are gradients and the optimizer's state
    while the net computes.
    """
    step()
    memory = TensorMemory(step.tensors())
    with memory:
        step()
    return memory.history


class Line(NamedTuple):
    """Bytes at one moment of a training step, as a function of the batch size.

    Attributes:
        fixed: bytes of any batch.
        per_image: bytes that each image adds.
    """

    fixed: int
    per_image: int

    def at(self, images: int) -> int:
        """Bytes with so many images."""
        return self.fixed + images * self.per_image


class MemoryNeed:
    """Bytes of a training step of any number of images: at every moment of it a line, and the highest of them counts.

    Args:
        make_step: of so many images; it is counted at two sizes.
    """

    def __init__(self, make_step: Callable[[int], TrainingStep]) -> None:
        fewer, more = COUNTED
        histories = (history_of_step(make_step(images)) for images in COUNTED)
        self.lines: set[Line] = set()
        for first, second in zip(*histories, strict=True):
            per_image = (second - first) // (more - fewer)
            self.lines.add(Line(first - fewer * per_image, per_image))

    def peak(self, images: int) -> Line:
        """The moment at which a step of so many images takes most."""
        return max(self.lines, key=lambda line: line.at(images))

    def largest_batch(self, size: int, most: int) -> int:
        """How many images, up to ``most``, fit into so many bytes at every moment; 0 if none do."""
        if any(line.fixed > size for line in self.lines):
            return 0
        return min(
            [most, *((size - line.fixed) // line.per_image for line in self.lines if line.per_image > 0)]
        )
