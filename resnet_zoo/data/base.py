"""What all data sets have in common: arguments, loaders, and the preparation of batches on the device."""

from __future__ import annotations

from collections.abc import Sequence

from resnet_zoo.data.augmentations import Augmentation, AugmentationPlan
from resnet_zoo.data.augmented import AugmentedImages
from resnet_zoo.data.checks import check_count
from resnet_zoo.data.description import DataDescription
from resnet_zoo.data.layout import require_root
from resnet_zoo.data.loaders import ImageLoader
from resnet_zoo.data.normalization import Channels, Normalization
from resnet_zoo.data.order import EvaluationOrder, Order, TrainingOrder, check_global_batch_size
from resnet_zoo.data.preparation import BatchPreparation
from resnet_zoo.data.progressive_resizing import ProgressiveResizing
from resnet_zoo.data.sources import ImageSource, ResidentImages
from resnet_zoo.data.surroundings import Surroundings
from resnet_zoo.data.views import CENTER, View
from resnet_zoo.errors import InvalidValue


class ImageDataModule(BatchPreparation):
    """A data set in the form that training, evaluation and prediction take it.

    A subclass checks its arguments and its folder when it is constructed, says what it has and loads a split
    when asked (see ``DataDescription``). Images reach the device as uint8; there ``prepare`` augments and
    normalises them (see ``BatchPreparation``).

    Args:
        global_batch_size: images per optimizer update, over all ranks and accumulated batches.
        num_workers: loader processes per rank; None chooses, which is none for images held in memory.
        eval_batch_size: images per rank and batch in evaluation; None takes as many as a training batch has.
        seed: of order and augmentation; None leaves it to the run, and is 0 if nobody says.
        drop_last: leave out the shorter last update of an epoch.
        augment: further random changes of training images, in order; None for none.
        repeated_augmentation: times that each image is taken, augmented anew, within one pass over the data; the
            number of updates per epoch stays the same.
        progressive_resizing: training images of a size that grows with the epochs; None for ``image_size`` throughout.
        mean: overrides the data set's own channel means, together with std.
        std: overrides the data set's own channel standard deviations.
        predict_root: folder of images for ``predict``; None predicts the test split.
        bad_image_budget: how many training images that cannot be read a run may leave out; the next one ends it.

    Raises:
        InvalidValue: a value that is not allowed.
        MissingData: ``predict_root`` does not exist.
    """

    def __init__(
        self,
        *,
        global_batch_size: int,
        num_workers: int | None = None,
        eval_batch_size: int | None = None,
        seed: int | None = None,
        drop_last: bool = False,
        augment: Sequence[Augmentation] | None = None,
        repeated_augmentation: int = 1,
        progressive_resizing: ProgressiveResizing | None = None,
        mean: Channels | None = None,
        std: Channels | None = None,
        predict_root: str | None = None,
        bad_image_budget: int = 0,
    ) -> None:
        super().__init__()
        check_count("bad_image_budget", bad_image_budget, minimum=0)
        self.bad_image_budget = bad_image_budget
        check_count("global_batch_size", global_batch_size)
        check_count("eval_batch_size", eval_batch_size)
        check_count("num_workers", num_workers, minimum=0)
        check_count("repeated_augmentation", repeated_augmentation)
        if (mean is None) != (std is None):
            raise InvalidValue(
                f"mean={mean} and std={std} go together. Give both, or neither for the data set's own."
            )
        self.global_batch_size = global_batch_size
        self.num_workers = num_workers
        self.eval_batch_size = eval_batch_size
        self.seed = seed
        self.drop_last = drop_last
        self.augment = AugmentationPlan(augment or ())
        self.repeated_augmentation = repeated_augmentation
        self.progressive_resizing = progressive_resizing
        self.predict_root = predict_root if predict_root is None else require_root("predict", predict_root)
        self._normalization = None if mean is None or std is None else Normalization(mean, std)
        self.view: View = CENTER
        self._sources = {}
        self._loaders: list[ImageLoader] = []

    def set_seed(self, seed: int) -> None:
        """Take the run's seed, unless the data set was given its own."""
        if self.seed is None:
            self.seed = seed

    def check_train_size(self) -> None:
        """Refuse a batch size larger than the training split, sizes larger than its images, and augmentations larger
        than these are when they are augmented; subclasses call it once they know all that.
        """
        smallest = self.image_size
        if self.progressive_resizing is not None:
            self.progressive_resizing.check(self.image_size)
            smallest = self.progressive_resizing.start_size if self.has_other_views() else smallest
        self.augment.check(smallest)
        if self.global_batch_size > self.num_samples["train"]:
            raise InvalidValue(
                f"global_batch_size={self.global_batch_size} is larger than the train split of "
                f"{self.num_samples['train']:,} images. Use at most {self.num_samples['train']}."
            )

    def check_batch_size(self, world_size: int, accumulation: int = 1) -> None:
        """Refuse a ``global_batch_size`` that does not divide evenly over so many ranks and accumulated
        batches, or leaves mixing one image in each.
        """
        check_global_batch_size(self.global_batch_size, world_size, accumulation)
        self.augment.check_partners(self.global_batch_size, world_size * accumulation)

    def num_updates_per_epoch(self) -> int:
        """Optimizer updates per epoch under the attached trainer, its ``limit_train_batches`` included."""
        order = self.training_order()
        batches = Surroundings.of(self.trainer).limited(order.num_batches)
        return -(-batches // order.accumulation)

    def train_size(self, epoch: int) -> int:
        """Height and width of training images in an epoch, counted from 0, in pixels."""
        resizing = self.progressive_resizing
        return self.image_size if resizing is None else resizing.size_at(epoch, self.image_size)

    def remarks(self, num_epochs: int) -> list[str]:
        """What somebody who starts a training of so many epochs should know, one sentence each; usually nothing."""
        resizing = self.progressive_resizing
        return [] if resizing is None else resizing.remarks(num_epochs, self.image_size)

    def has_other_views(self) -> bool:
        """Whether evaluation crops image files, so that they have other crops, and can be seen whole.

        That is so where a data set says itself how it crops them; one that holds its images in memory at one size
        evaluates them whole.
        """
        return type(self).evaluation_transform is not DataDescription.evaluation_transform

    # What Lightning asks

    def setup(self, stage: str) -> None:
        """Load what the stage needs, so that what is wrong with it shows before anything starts."""
        if stage == "fit":
            needed = [name for name in ("train", "val") if self.has_split(name)]
        else:
            needed = ["val" if stage == "validate" else stage]
        for split in needed:
            self.source(split)

    def teardown(self, stage: str) -> None:
        """End the worker processes."""
        for loader in self._loaders:
            loader.close()
        self._loaders.clear()

    def train_dataloader(self) -> ImageLoader:
        """Batches with seeds, in an order that depends on seed and epoch alone."""
        order = self.training_order()
        self.check_batch_size(order.world_size, order.accumulation)
        return self._loader("train", order, self.training_source())

    def val_dataloader(self) -> ImageLoader | list[ImageLoader]:
        """Every validation image exactly once; an empty list without a validation split."""
        return self._evaluation_loader("val") if self.has_split("val") else []

    def test_dataloader(self) -> ImageLoader:
        """Every test image exactly once."""
        return self._evaluation_loader("test")

    def predict_dataloader(self) -> ImageLoader:
        """Every image of ``predict_root``, or else of the test split, exactly once."""
        return self._evaluation_loader("predict")

    def training_source(self) -> ImageSource:
        """The training images, with what changes them one by one."""
        source = self.source("train")
        return AugmentedImages(source, self.augment) if self.augment.images else source

    def training_order(self) -> TrainingOrder:
        """Of this rank, under the attached trainer."""
        around = Surroundings.of(self.trainer)
        return TrainingOrder(
            num_samples=self.num_samples["train"],
            global_batch_size=self.global_batch_size,
            seed=self.seed or 0,
            rank=around.rank,
            world_size=around.world_size,
            accumulation=around.accumulation,
            drop_last=self.drop_last,
            repeats=self.repeated_augmentation,
            images_per_share=self.augment.images_per_share,
        )

    # How it is done

    def _evaluation_loader(self, split: str) -> ImageLoader:
        around = Surroundings.of(self.trainer)
        in_training = self.global_batch_size // (around.world_size * around.accumulation)
        batch_size = self.eval_batch_size or max(1, in_training)
        batch_size = self.view.batch_size(batch_size)
        source = self.view.of(self.source(split))
        order = EvaluationOrder(len(source.labels), batch_size, around.rank, around.world_size)
        return self._loader(split, order, source)

    def _loader(self, split: str, order: Order, source: ImageSource) -> ImageLoader:
        around = Surroundings.of(self.trainer)
        num_workers = around.workers_for(source) if self.num_workers is None else self.num_workers
        if isinstance(source, ResidentImages):
            source = around.place(source, num_workers)
            self._sources[self.resolve(split)] = source
        loader = ImageLoader(
            source,
            order,
            num_workers=num_workers,
            device=around.device,
            reshuffle=not around.overfitting,
            skip_unreadable=split != "train" or self.bad_image_budget > 0,
            train_size=self.train_size if split == "train" and self.progressive_resizing else None,
        )
        self._loaders.append(loader)
        return loader
