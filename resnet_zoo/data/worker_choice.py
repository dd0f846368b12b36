"""How many workers a training gets if nobody says, and what one of them is good for on this machine."""

from __future__ import annotations

from typing import NamedTuple

from resnet_zoo.data.base import ImageDataModule
from resnet_zoo.data.epoch_plan import EpochPlan
from resnet_zoo.data.fetching_speed import fetching_speed
from resnet_zoo.data.sources import ImageSource
from resnet_zoo.data.surroundings import Surroundings

TRIAL_IMAGES = 48
TRIAL_SECONDS = 1.0


class WorkerChoice(NamedTuple):
    """Why there are so many workers.

    Attributes:
        workers: loader processes of a rank.
        cores: a rank's share of those of its machine.
        ranks: on all machines.
        images_per_second: that one worker makes; None if not one image could be read.
    """

    workers: int
    cores: int
    ranks: int
    images_per_second: float | None

    def line(self, last_speed: float | None = None) -> str:
        """The choice and its reason.

        Args:
            last_speed: images/s over all ranks that the training took before it was continued.
        """
        if self.cores > self.workers:
            reason = f"the most that are taken unasked, with {self.cores} cores a rank"
        else:
            reason = "as many as the cores of a rank"
        text = f"data workers: {self.workers} on each of {self.ranks} ranks, {reason}"
        if self.images_per_second is not None:
            total = self.images_per_second * self.workers * self.ranks
            text += f"; one makes {self.images_per_second:,.0f} images/s here, all of them up to {total:,.0f}"
        if last_speed is not None:
            text += f"; the training took {last_speed:,.0f} when last measured"
        return f"{text} (data.num_workers sets another number)"


def worker_choice(data: ImageDataModule) -> WorkerChoice | None:
    """What was chosen for the training split, with the speed of one worker measured on its first images.

    The number follows from the cores alone. A run's own speed would be a poor guide: it is what its workers allowed.

    Returns:
        None where nothing was chosen: ``num_workers`` was given, or the images are in memory and need no workers.
    """
    around, source = Surroundings.of(data.trainer), data.training_source()
    workers = around.workers_for(source)
    if data.num_workers is not None or not workers:
        return None
    speed = speed_of_one(source, data.training_order().plan(0))
    return WorkerChoice(workers, around.cores, around.world_size, speed)


def speed_of_one(source: ImageSource, plan: EpochPlan) -> float | None:
    """Images/s that a worker makes of the first few dozen images of an epoch, in about a second at most.

    They are the very images that a worker is asked for next, so that nothing is read or fetched from afar for the
    measurement alone. What cannot be read is left to the training to report.
    """
    chosen = slice(0, TRIAL_IMAGES + 1)
    seeds = None if plan.seeds is None else plan.seeds[chosen]
    return fetching_speed(source, plan.sources[chosen], seeds, TRIAL_SECONDS)
