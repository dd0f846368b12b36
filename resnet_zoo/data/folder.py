"""Any data set that has one folder of image files per class."""

from __future__ import annotations

from typing import Any, Literal, get_args

from resnet_zoo.data import normalization
from resnet_zoo.data.augment import BatchAugmentation
from resnet_zoo.data.augmentations import Augmentation
from resnet_zoo.data.base import ImageDataModule
from resnet_zoo.data.checks import check_choice, check_count, check_fraction, check_not_negative
from resnet_zoo.data.crops import Interpolation
from resnet_zoo.data.layout import SEE, ImageRoot, open_root
from resnet_zoo.data.normalization import Channels, Normalization, measure
from resnet_zoo.data.pipelines import TrainingCrop, evaluation_transform, training_transform
from resnet_zoo.data.progressive_resizing import ProgressiveResizing
from resnet_zoo.data.sources import FileImages, ImageSource, ResidentImages
from resnet_zoo.data.splits import stratified_split
from resnet_zoo.data.stores import Split
from resnet_zoo.data.transforms import CenterCrop, Transform
from resnet_zoo.errors import InvalidValue

NAME = "ImageFolder"
Pipeline = Literal["imagenet", "cifar"]
USUAL_SIZES = {"imagenet": 224, "cifar": 32}
EVALUATION_SPLITS = ("val", "test")


class ImageFolder(ImageDataModule):
    """Your own images: one folder per class, below 'train' and, if there are any, 'val' and 'test'.

    Without a 'train' folder the class folders may be directly in the root, with val_fraction. The 'imagenet'
    pipeline decodes files in worker processes and takes random crops of them; the 'cifar' pipeline is for
    small images: everything is brought to one size and held in memory, and training shifts by up to an eighth
    of the image.

    Args:
        root: folder with 'train' inside, or with the class folders; or what 'resnet-zoo data pack' made of one, in a
            folder or at an address such as s3://bucket/flowers.
        global_batch_size: images per optimizer update, over all ranks and accumulated batches.
        pipeline: 'imagenet' or 'cifar'.
        image_size: height and width of the images, in pixels; by default 224 for 'imagenet', 32 for 'cifar'.
        val_fraction: share of the training images to set aside for validation, where there is no 'val'
            folder; the same share of every class.
        split_seed: of the choice of validation images.
        flip: mirror training images at random; not for digits, letters or signs.
        augmentation: the random crop of the 'imagenet' pipeline, 'random_resized_crop' (the default) or
            'scale_jitter'.
        jitter_range: shortest and longest shorter side for 'scale_jitter'; by default [256, 480] for 224
            pixels and in proportion for others.
        color_noise: standard deviation of the colour noise of Krizhevsky et al. 2012, for example 0.1.
        eval_resize: shorter side before the central crop; by default 256 for 224 pixels and in proportion for
            others with the 'imagenet' pipeline, image_size with the 'cifar' pipeline.
        interpolation: of the resizing in training and evaluation, 'bilinear' or 'bicubic'; with antialiasing.
        num_workers: loader processes per rank; by default a rank's share of the cores, at most 16, and none
            with 'cifar'.
        eval_batch_size: images per rank and batch in evaluation; by default as many as a training batch has.
        seed: of order and augmentation; by default the run's seed.
        drop_last: leave out the shorter last update of an epoch.
        augment: further random changes of training images, in order: names such as RandAugment or MixUp, or class
            paths with arguments; see docs/augmentation.md.
        repeated_augmentation: times that each image is taken, augmented anew, within one pass over the data; the
            number of updates per epoch stays the same.
        progressive_resizing: train on images of a size that grows with the epochs up to image_size; see
            docs/recipes.md.
        mean: channel means in 0..1, together with std; by default ImageNet's for the 'imagenet' pipeline,
            measured on the training images for the 'cifar' pipeline.
        std: channel standard deviations in 0..1, together with mean.
        predict_root: folder of images for 'predict'; by default it predicts the test or the validation split.
        bad_image_budget: how many training images that cannot be read a run may leave out, each named once;
            the next one ends it. In evaluation they are always left out, listed and counted.

    Raises:
        MissingData: no such folder, or no images in it.
        InvalidValue: a value that is not allowed, or splits with different classes.
    """

    def __init__(
        self,
        *,
        root: str,
        global_batch_size: int,
        pipeline: Pipeline = "imagenet",
        image_size: int | None = None,
        val_fraction: float | None = None,
        split_seed: int = 0,
        flip: bool = True,
        augmentation: TrainingCrop | None = None,
        jitter_range: tuple[int, int] | None = None,
        color_noise: float = 0.0,
        eval_resize: int | None = None,
        interpolation: Interpolation = "bilinear",
        num_workers: int | None = None,
        eval_batch_size: int | None = None,
        seed: int | None = None,
        drop_last: bool = False,
        augment: list[Augmentation] | None = None,
        repeated_augmentation: int = 1,
        progressive_resizing: ProgressiveResizing | None = None,
        mean: Channels | None = None,
        std: Channels | None = None,
        predict_root: str | None = None,
        bad_image_budget: int = 0,
    ) -> None:
        super().__init__(
            global_batch_size=global_batch_size,
            num_workers=num_workers,
            eval_batch_size=eval_batch_size,
            seed=seed,
            drop_last=drop_last,
            augment=augment,
            repeated_augmentation=repeated_augmentation,
            progressive_resizing=progressive_resizing,
            mean=mean,
            std=std,
            predict_root=predict_root,
            bad_image_budget=bad_image_budget,
        )
        check_choice("pipeline", pipeline, get_args(Pipeline))
        check_count("image_size", image_size)
        check_fraction("val_fraction", val_fraction)
        check_not_negative("color_noise", color_noise)
        self.root, self._opened = root, open_root(NAME, root)
        self.pipeline = pipeline
        self.image_size = size = USUAL_SIZES[pipeline] if image_size is None else image_size
        self.val_fraction = val_fraction
        self.split_seed = split_seed
        self._train_transform, self._eval_transform = _transforms(
            pipeline, size, augmentation, jitter_range, eval_resize, interpolation
        )
        self.augmentation = BatchAugmentation(size // 8 if pipeline == "cifar" else 0, flip, color_noise)
        self._classes, self._splits = _find_splits(self._opened, val_fraction, split_seed)
        self.num_samples = {name: len(split.index) for name, split in self._splits.items()}
        self.check_train_size()

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the class folders, sorted."""
        return self._classes

    def load_split(self, name: str) -> ImageSource:
        """The files of a split with the crop that belongs to it; with the 'cifar' pipeline all of them
        decoded.
        """
        split = self._splits[name]
        transform = self._train_transform if name == "train" else self._eval_transform
        files = FileImages(split.index, transform, split.store)
        if self.pipeline == "cifar":
            return files.load(skip_unreadable=name != "train" or self.bad_image_budget > 0)
        return files

    def own_normalization(self) -> Normalization:
        """ImageNet's usual one for the 'imagenet' pipeline; of the training images for the 'cifar' pipeline."""
        if self.pipeline == "imagenet":
            return normalization.IMAGENET
        images = self.source("train")
        assert isinstance(images, ResidentImages)
        readable = [position for position in range(len(images.images)) if position not in images.unreadable]
        return measure(images.images[readable] if images.unreadable else images.images)

    def evaluation_transform(self) -> CenterCrop:
        """Resize the shorter side, then the central crop."""
        return self._eval_transform

    def has_other_views(self) -> bool:
        """With the 'imagenet' pipeline; the 'cifar' pipeline holds the central crops in memory."""
        return self.pipeline == "imagenet"

    def origin(self) -> dict[str, Any]:
        """Hashes of the file lists; of packed images that are not their files, how they were encoded."""
        hashes = {name: split.index.fingerprint() for name, split in self._splits.items()}
        return {"files_sha256": hashes, **self._opened.origin()}


def _transforms(
    pipeline: Pipeline,
    size: int,
    crop: TrainingCrop | None,
    jitter_range: tuple[int, int] | None,
    eval_resize: int | None,
    interpolation: Interpolation,
) -> tuple[Transform, CenterCrop]:
    """Of training and of evaluation; with the 'cifar' pipeline one for both, since training changes whole batches."""
    if pipeline == "cifar":
        _refuse_crops(crop, jitter_range)
        central = evaluation_transform(size, size if eval_resize is None else eval_resize, interpolation)
        return central, central
    random = training_transform(size, crop or "random_resized_crop", jitter_range, interpolation)
    return random, evaluation_transform(size, eval_resize, interpolation)


def _refuse_crops(augmentation: str | None, jitter_range: tuple[int, int] | None) -> None:
    for name, value in (("augmentation", augmentation), ("jitter_range", jitter_range)):
        if value is not None:
            raise InvalidValue(
                f"{name}={value!r} belongs to pipeline='imagenet' and would have no effect with "
                "pipeline='cifar', which shifts and flips. Leave it out, or change the pipeline."
            )


def _find_splits(
    root: ImageRoot, val_fraction: float | None, split_seed: int
) -> tuple[tuple[str, ...], dict[str, Split]]:
    """Class names, and the images of every split there is."""
    folders = set(root.split_names())
    bare = "train" not in folders
    if bare and folders & set(EVALUATION_SPLITS):
        found = ", ".join(map(repr, sorted(folders & set(EVALUATION_SPLITS))))
        raise InvalidValue(f"{NAME} root {root.path!r} has no 'train' folder beside {found}. {SEE}")
    if bare and val_fraction is None:
        root.class_names("")
        raise InvalidValue(
            f"{NAME} root {root.path!r} has no 'train' folder. If its folders are the classes, say how many of the "
            f"images are to be set aside for validation, e.g. val_fraction=0.1. {SEE}"
        )
    if "val" in folders and val_fraction is not None and not bare:
        raise InvalidValue(
            f"val_fraction={val_fraction} would set aside training images, but {NAME} root {root.path!r} has a 'val' "
            "folder. Leave val_fraction out to use it."
        )
    train = "" if bare else "train"
    classes = root.class_names(train)
    splits = {"train": root.open_split(train, classes)}
    for name in () if bare else EVALUATION_SPLITS:
        if name in folders:
            root.require_same_classes(train, classes, name)
            splits[name] = root.open_split(name, classes)
    if val_fraction is not None:
        whole = splits["train"]
        number = len(whole.index)
        rest, chosen = stratified_split(whole.index.labels, round(val_fraction * number), split_seed)
        if not len(rest) or not len(chosen):
            raise InvalidValue(
                f"val_fraction={val_fraction} of {number:,} images leaves {len(rest):,} for training and "
                f"{len(chosen):,} for validation. Both need at least one."
            )
        splits |= {"train": whole.subset(rest), "val": whole.subset(chosen)}
    return tuple(classes), splits
