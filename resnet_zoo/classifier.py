"""The classifier: where a backbone, batches of images and exact counts meet."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from resnet_zoo.activation_checkpointing import ActivationCheckpointing, checkpoint_activations
from resnet_zoo.compiled_training import CompiledTraining
from resnet_zoo.compiling import NOTHING_COMPILED, CompileSettings
from resnet_zoo.data.batch import ImageBatch
from resnet_zoo.errors import InvalidValue
from resnet_zoo.losses import ImageLosses, Loss
from resnet_zoo.metrics import TopKCounts
from resnet_zoo.optim import ConstantSchedule, Position, Schedule, scaled_learning_rate, split_parameters
from resnet_zoo.precision import norms_untouched
from resnet_zoo.train_error_watch import TrainErrorWatch
from resnet_zoo.weights import check_fits, load_into

OptimizerCallable = Callable[[Iterable[Any]], Optimizer]


def default_optimizer(parameters: Iterable[Any]) -> SGD:
    """SGD with the momentum and weight decay of He et al. 2015 (arXiv:1512.03385, section 3.4)."""
    return SGD(parameters, lr=0.1, momentum=0.9, weight_decay=1e-4)


class ImageClassifier(CompiledTraining):
    """A backbone with a linear head, trained with cross-entropy and counted exactly.

    The training step leaves its counts on the device; nothing is fetched, logged or synchronised inside it
    (``callbacks.MetricsWriter`` fetches them every ``log_every_n_steps``).

    Args:
        backbone: images (b, c, h, w) to features (b, ``backbone.num_features``). In a config: a registered name,
            ``resnet50``, a name with arguments, or an import path; ``resnet-zoo list`` shows the names.
        num_classes: number of classes; in a config it comes from the data set.
        optimizer: any ``torch.optim`` class; its learning rate belongs to the data's ``global_batch_size``.
        lr_schedule: the learning rate over the run, declared in epochs, set before every update.
        loss: of training; evaluation always reports cross-entropy. Binary cross-entropy (Wightman et al. 2021,
            arXiv:2110.00476, section 3) asks of every class on its own whether it is there.
        label_smoothing: share of the target spread evenly over all classes (Szegedy et al. 2015,
            arXiv:1512.00567, section 7), in [0, 1).
        target_threshold: for binary cross-entropy: targets above it become 1, all others 0, so that of a mixed image
            both classes are there in full; RSB takes 0.2. By default targets keep their shares.
        decay_norm_and_bias: whether weight decay also applies to normalisation parameters and biases, as in He et
            al. 2015; False leaves them out (He et al. 2018, arXiv:1812.01187, section 3.1).
        batch_size_rule: how the learning rate is scaled when ``global_batch_size`` differs from
            ``reference_batch_size``: not at all, linearly (Goyal et al. 2017, section 2.1) or by the square root.
        reference_batch_size: the batch size for which ``optimizer``'s learning rate is meant, for the rule.
        channels_last: keep weights and images in the channels-last memory format.
        compile: what of the training ``torch.compile`` compiles; nothing by default.
        activation_checkpointing: parts of the backbone that keep their input alone and compute the rest again in the
            backward pass (Chen et al. 2016, arXiv:1604.06174): none, all, or a list of names such as ``stages.0``.
        weights: file of weights to start from: a checkpoint of ours, a torchvision state dict, or safetensors.

    Raises:
        InvalidValue: the backbone has no ``num_features``, or a value is outside its range.
    """

    def __init__(
        self,
        backbone: nn.Module,
        num_classes: int,
        optimizer: OptimizerCallable = default_optimizer,
        lr_schedule: Schedule | None = None,
        loss: Loss = "cross_entropy",
        label_smoothing: float = 0.0,
        target_threshold: float | None = None,
        decay_norm_and_bias: bool = True,
        batch_size_rule: Literal["none", "linear", "sqrt"] = "none",
        reference_batch_size: int | None = None,
        channels_last: bool = True,
        compile: CompileSettings = NOTHING_COMPILED,  # noqa: A002 - the key users know from torch
        activation_checkpointing: ActivationCheckpointing = "none",
        weights: str | None = None,
    ) -> None:
        super().__init__(num_classes, compile)
        num_features = getattr(backbone, "num_features", None)
        if not isinstance(num_features, int):
            raise InvalidValue(
                f"{type(backbone).__name__} has no whole number 'num_features', the length of the feature vector it "
                "returns. See 'resnet-zoo check-backbone' and docs/plugins.md."
            )
        checkpoint_activations(backbone, activation_checkpointing)
        self.backbone = backbone
        self.head = nn.Linear(num_features, num_classes)
        self.optimizer_factory = optimizer
        self.lr_schedule = lr_schedule or ConstantSchedule()
        self.losses = ImageLosses(loss, label_smoothing, target_threshold)
        self.decay_norm_and_bias = decay_norm_and_bias
        self.batch_size_rule: Literal["none", "linear", "sqrt"] = batch_size_rule
        self.reference_batch_size = reference_batch_size
        self.channels_last = channels_last
        self.train_error_watch = TrainErrorWatch(self.lr_schedule.hold, num_classes)
        self.train_counts = TopKCounts(num_classes)
        self._base_learning_rates: list[float] = []
        self._rate_sentence = ""
        self._loss_scale = 1.0
        self._steps_per_epoch = self._total_steps = 1
        self._update_of_epoch = 0
        if weights is not None:
            load_into(self, weights)
        if channels_last:
            self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Images (b, c, h, w), normalised, to logits (b, num_classes)."""
        images = images.to(self.head.weight.dtype)
        if self.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.head(self.backbone(images))
        return logits

    def to(self, *args: Any, **kwargs: Any) -> ImageClassifier:
        """As ``nn.Module.to``, except that normalisation layers stay in float32 (``precision.norms_untouched``)."""
        with norms_untouched(self):
            super().to(*args, **kwargs)
        return self

    # Optimiser and learning rate

    def configure_optimizers(self) -> Optimizer:
        """One optimiser over the parameter groups; the learning rate is set before every update."""
        groups = split_parameters(self, self.decay_norm_and_bias)
        optimizer = self.optimizer_factory([{k: v for k, v in g.items() if k != "names"} for g in groups])
        datamodule = getattr(self._trainer, "datamodule", None)
        batch_size = getattr(datamodule, "global_batch_size", self.reference_batch_size or 1)
        scaled = [self.scaled_rate(group["lr"], batch_size) for group in optimizer.param_groups]
        self._base_learning_rates = [rate for rate, _ in scaled]
        self._rate_sentence = scaled[0][1]
        return self.with_compiled_update(optimizer)

    def scaled_rate(self, learning_rate: float, global_batch_size: int) -> tuple[float, str]:
        """The configured rate after the batch-size rule, and the sentence that says what was done."""
        return scaled_learning_rate(
            learning_rate, self.batch_size_rule, global_batch_size, self.reference_batch_size
        )

    def learning_rate_notes(self) -> list[str]:
        """How the learning rate came about, and the schedule's remarks on a training of this length."""
        self._measure_the_run()
        return [self._rate_sentence, *self.lr_schedule.remarks(self.position())]

    def position(self) -> Position:
        """Where training stands, in updates.

        It is counted from the epoch: after a change of the batch size, half of the epochs are still half of the way.
        """
        step = self.trainer.current_epoch * self._steps_per_epoch + self._update_of_epoch
        return Position(step, self._steps_per_epoch, self._total_steps)

    def _measure_the_run(self) -> None:
        trainer = self.trainer
        batches = int(trainer.num_training_batches)
        self._steps_per_epoch = max(1, math.ceil(batches / trainer.accumulate_grad_batches))
        end = trainer.estimated_stepping_batches
        self._total_steps = int(end) if math.isfinite(end) else self._steps_per_epoch

    def _set_learning_rate(self, position: Position) -> None:
        """Set every group's learning rate for the update at hand: the config's rate times the schedule's factor.

        The rate depends on nothing but the config and the number of updates made, so a resumed run and a changed
        ``--model.optimizer.lr`` both get the rate that the config says.
        """
        factor = self.lr_schedule.factor(position, released=not self.train_error_watch.holds)
        optimizer = self.trainer.optimizers[0]
        for group, rate in zip(optimizer.param_groups, self._base_learning_rates, strict=True):
            group["lr"] = rate * factor

    def learning_rate(self) -> float:
        """The first group's learning rate of the current or last update."""
        return float(self.trainer.optimizers[0].param_groups[0]["lr"])

    # Training

    def on_fit_start(self) -> None:
        """Start the counts."""
        self.train_counts.reset()

    def on_train_start(self) -> None:
        """Loss scale, updates per epoch and in all are fixed from here on."""
        self._measure_the_run()
        self._loss_scale = float(self.trainer.world_size * self.trainer.accumulate_grad_batches)

    def on_train_batch_start(self, batch: ImageBatch, batch_idx: int) -> None:
        """Set the learning rate at the first micro-batch of every update."""
        update, batch_of_update = divmod(batch_idx, self.trainer.accumulate_grad_batches)
        if batch_of_update == 0:
            self._update_of_epoch = update
            position = self.position()
            self.train_error_watch.begin_update(position.step)
            self._set_learning_rate(position)

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """Loss of one micro-batch, scaled so that the update is the mean over all its images.

        A micro-batch of the last, shorter update may hold fewer images than its neighbours; summing its losses and
        dividing by the update's own size gives each image the same weight, on any number of ranks. A mixed image counts
        as right if the class with its larger share is found.
        """
        logits = self(batch.images).float()
        losses = self.losses(logits, batch.labels, batch.mix)
        labels = batch.labels if batch.mix is None else batch.mix.dominant(batch.labels)
        self.train_counts.update(logits, labels, losses)
        self.train_error_watch.count(logits, labels, losses)
        return losses.sum() * (self._loss_scale / batch.update_size)

    # Checkpoints: tensors and plain types only

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what rebuilds the model without its config: how the backbone was made, classes, the hold."""
        datamodule = getattr(self._trainer, "datamodule", None)
        checkpoint["resnet_zoo"] = {
            "backbone": getattr(self.backbone, "built_by", None),
            "num_classes": self.num_classes,
            "class_names": list(getattr(datamodule, "class_names", ())),
            "preprocessing": None if datamodule is None else datamodule.preprocessing(),
            "hold": self.train_error_watch.state(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the hold where it was."""
        self.check_fits(checkpoint)
        super().on_load_checkpoint(checkpoint)
        if "hold" in (ours := checkpoint.get("resnet_zoo", {})):
            self.train_error_watch.load(ours["hold"])

    def check_fits(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another number of classes or of another net; see ``weights.check_fits``."""
        check_fits(self, checkpoint, self.num_classes)
