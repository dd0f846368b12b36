"""Views of an image: torchvision's ten crops, whole images, mirror images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional

from resnet_zoo.data import Digits, ImageFolder
from resnet_zoo.data.crops import resize, short_side_size
from resnet_zoo.data.transforms import CenterCrop
from resnet_zoo.data.views import (
    PAPER_SCALES,
    View,
    WholeImage,
    multi_scale_views,
    ten_crop_views,
    usual_scales,
)
from resnet_zoo.errors import InvalidValue


@pytest.fixture
def data(tmp_path: Path) -> ImageFolder:
    """Three images of different sizes in each of two classes and splits."""
    generator = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in ("cat", "dog"):
            (tmp_path / split / name).mkdir(parents=True)
            for number, (height, width) in enumerate(((40, 48), (50, 40), (44, 44))):
                pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / name / f"{number}.ppm")
    return ImageFolder(
        root=str(tmp_path), global_batch_size=4, image_size=28, num_workers=0, flip=False, eval_batch_size=4
    )


@pytest.mark.parametrize("size", [(40, 51), (57, 40), (40, 40)])
def test_ten_crops_are_those_of_torchvision(size: tuple[int, int]) -> None:
    image = torch.randint(0, 256, (3, *size), dtype=torch.uint8)
    resized = resize(image, *short_side_size(*size, 32))
    assert resized.shape == functional.resize(image, 32, antialias=True).shape
    expected = {crop.numpy().tobytes() for crop in functional.ten_crop(resized, 28)}
    views = ten_crop_views(CenterCrop(28, 32))
    found = set()
    for view in views:
        seen = (view.transform or CenterCrop(28, 32))(image, None)
        found.add((seen.flip(-1) if view.mirror else seen).numpy().tobytes())
    assert len(views) == len({view.name for view in views}) == 10
    assert found == expected


def test_a_mirrored_view_mirrors_evaluation_and_nothing_else(data: ImageFolder) -> None:
    plain = next(iter(data.val_dataloader()))
    training = next(iter(data.train_dataloader()))
    before = data.prepare(plain).images, data.prepare(training).images
    data.view = View("mirrored", mirror=True)
    assert torch.equal(data.prepare(plain).images, before[0].flip(-1))
    assert torch.equal(data.prepare(training).images, before[1])


def test_whole_images_come_one_by_one_in_their_proportions(data: ImageFolder) -> None:
    data.view = View("whole", WholeImage(20))
    batches = list(data.val_dataloader())
    assert [tuple(batch.images.shape) for batch in batches[:3]] == [
        (1, 3, 20, 24),
        (1, 3, 25, 20),
        (1, 3, 20, 20),
    ]
    assert [int(batch.indices) for batch in batches] == list(range(6))
    assert all(
        data.prepare(batch).images.is_contiguous(memory_format=torch.channels_last) for batch in batches
    )
    blank = data.view.of(data.source("val")).fetch(torch.tensor([-1]), None)
    assert blank.shape == (1, 3, 20, 20)
    assert not blank.any()


def test_scales_are_the_paper_s_and_in_proportion() -> None:
    assert usual_scales(224) == list(PAPER_SCALES)
    assert usual_scales(112) == [112, 128, 192, 240, 320]
    assert [view.transform for view in multi_scale_views([40, 20])] == [WholeImage(20), WholeImage(40)]


def test_images_in_memory_have_no_other_views(data: ImageFolder) -> None:
    assert data.has_other_views()
    digits = Digits()
    assert not digits.has_other_views()
    digits.view = View("whole", WholeImage(8))
    with pytest.raises(InvalidValue, match="view 'whole' needs image files"):
        digits.test_dataloader()
