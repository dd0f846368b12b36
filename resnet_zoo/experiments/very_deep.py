"""A net that is far too deep fits the training data and tests worse (He et al. 2015, arXiv:1512.03385, section 4.2)."""

from __future__ import annotations

from resnet_zoo.experiments.experiment import ClaimMaker, Evidence, Experiment
from resnet_zoo.experiments.nets import Net
from resnet_zoo.experiments.plots import best_and_spread, error_curves, listed
from resnet_zoo.experiments.recipes import WIDTH, describe_data, on_digits, require_cifar_in_paper
from resnet_zoo.experiments.rules import Rule, mean
from resnet_zoo.experiments.runs import TrainingRun
from resnet_zoo.experiments.setting import OTHER_SEEDS, Setting
from resnet_zoo.registry import registry
from resnet_zoo.report.figures import Cell, ExperimentReport, LineFigure, Table

NAME = "very-deep"
SOURCE = "He et al. 2015, arXiv:1512.03385, section 4.2 and table 6 (6.43 and 7.93 %)"
PAPER_TEST = {"ResNet-110": "6.43 (6.61 ± 0.16)", "ResNet-1202": "7.93"}

TRAIN_IMAGES, ALL_IMAGES, EPOCHS, EPOCHS_PER_TEST = 100, 1438, 100, 25
"""So few images that a deep narrow net can learn them by heart."""

FITS = Rule(
    "In every seed the deeper net's training error in the last epoch is at most 1 %.",
    lambda deep: max(deep) <= 1.0,
)
TESTS_WORSE = Rule(
    "The mean test error over the seeds is higher for the deeper net.",
    lambda shallow, deep: mean(deep) > mean(shallow),
)
RULES = (FITS, TESTS_WORSE)


ACTIVATION_GIGABYTES = 11.8
"""Tensors that a batch of 128 keeps for the backward pass of ResNet-1202, counted by ``saved_tensors_hooks``."""


def titles(setting: Setting) -> dict[str, str]:
    """Label -> title of the shallower net and of the far deeper one."""
    if setting.quick:
        return {f"few{depth}": f"ResNet-{depth} on {TRAIN_IMAGES} images" for depth in (20, 56)}
    return {f"resnet{depth}": f"ResNet-{depth}" for depth in (110, 1202)}


def plan(setting: Setting) -> list[TrainingRun]:
    """All trainings."""
    if not setting.quick:
        return [*Net("resnet", 110).runs(setting, in_paper=5), *Net("resnet", 1202).runs(setting)]
    return [
        on_digits(
            f"few{depth}",
            seed,
            "resnet_cifar",
            {"depth": depth, "width": WIDTH},
            epochs=EPOCHS,
            data={
                "global_batch_size": TRAIN_IMAGES // 2,
                "val_size": ALL_IMAGES - TRAIN_IMAGES,
                "validate_on_test": False,
            },
            trainer={"check_val_every_n_epoch": EPOCHS_PER_TEST},
            cost=depth / 10,
        )
        for depth in (20, 56)
        for seed in setting.seeds()
    ]


def held_out_errors(evidence: Evidence, label: str, setting: Setting) -> list[float]:
    """Test error in percent for each seed; in the preset quick over the test images and all that were set aside."""
    if not setting.quick:
        return evidence.errors(label, "test")
    errors = []
    for test, aside in zip(evidence.results(label, "test"), evidence.results(label, "val"), strict=True):
        if test is None or aside is None:
            errors.append(float("nan"))
        else:
            correct, count = test.correct1 + aside.correct1, test.evaluated + aside.evaluated
            errors.append(100.0 - 100.0 * correct / count)
    return errors


COLUMNS = [
    "net",
    "training error (%), each seed",
    "test error (%), best (mean ± std), ours",
    "test error (%), CIFAR-10, paper",
]


def judge(setting: Setting, evidence: Evidence) -> ExperimentReport:
    """Decide."""
    labels = titles(setting)
    shallow, deep = labels
    remarks = [describe_data(setting), *evidence.remarks()]
    if setting.quick:
        remarks.append(
            f"{TRAIN_IMAGES} of the digits for training; tested on the 359 test images and the "
            f"{ALL_IMAGES - TRAIN_IMAGES:,} left over."
        )
        remarks.append(
            "The number of images and of epochs was chosen among a few with the test errors of seeds 0 to 2 in view. "
            f"{OTHER_SEEDS}"
        )
    maker = ClaimMaker(setting, NAME, remarks)
    test = {label: held_out_errors(evidence, label, setting) for label in labels}
    seeds = {label: len(setting.seeds(in_paper=5 if label == "resnet110" else 1)) for label in labels}
    claims = [
        maker.claim(
            "fits",
            "The far deeper net has no difficulty to be optimized: it fits the training data almost perfectly.",
            "He et al. 2015, arXiv:1512.03385, section 4.2 (training error below 0.1 %)",
            FITS,
            {f"training error (%), {labels[deep]}": evidence.errors(deep)},
            num_seeds=seeds[deep],
        ),
        maker.claim(
            "tests-worse",
            "And yet it tests worse than the shallower one, which fits as well: it overfits.",
            SOURCE,
            TESTS_WORSE,
            {f"test error (%), {title}": test[label] for label, title in labels.items()},
            num_seeds=min(seeds.values()),
            also={f"training error (%), {labels[shallow]}": evidence.errors(shallow)},
        ),
    ]
    rows: list[list[Cell]] = [
        [title, listed(evidence.errors(label)), best_and_spread(test[label]), PAPER_TEST.get(title)]
        for label, title in labels.items()
    ]
    curves = error_curves(evidence, labels)
    figure = LineFigure(
        "very-deep-errors",
        "Too deep for the data",
        "epoch",
        "error (%)",
        curves,
        caption="Thin: training error, bold: error on held-out images.",
    )
    return ExperimentReport(
        NAME,
        "Very deep: fits everything, tests worse",
        f"A net that is far deeper than the data warrant. {describe_data(setting)} In the preset paper ResNet-1202 has "
        f"{_millions('resnet1202_cifar')} million parameters; what a batch of 128 keeps for its backward pass is about "
        f"{ACTIVATION_GIGABYTES:g} GB in float32, so it fits one GPU of 80 GB without activation checkpointing.",
        claims,
        [figure] if curves else [],
        [Table("Errors of the last epoch", COLUMNS, rows)],
    )


def _millions(backbone: str) -> str:
    return f"{registry.resolve(backbone).figures['parameters'] / 1e6:.1f}"


EXPERIMENT = Experiment(
    NAME, "Fits the training data, tests worse", ("quick", "paper"), plan, judge, require_cifar_in_paper
)
