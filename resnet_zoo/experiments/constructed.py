"""A deeper plain net that is no worse exists, and is not found (He et al. 2015, arXiv:1512.03385, section 1)."""

from __future__ import annotations

from pathlib import Path

from resnet_zoo.analysis import TOLERANCE, construct_deeper, max_logit_difference
from resnet_zoo.data import ImageDataModule
from resnet_zoo.experiments.experiment import ClaimMaker, Evidence, Experiment
from resnet_zoo.experiments.nets import Net
from resnet_zoo.experiments.plots import listed, spread
from resnet_zoo.experiments.rebuild import best_device, load_model
from resnet_zoo.experiments.recipes import analysis_data, describe_data, require_cifar_in_paper
from resnet_zoo.experiments.rules import Rule, apart
from resnet_zoo.experiments.runs import TrainingRun
from resnet_zoo.experiments.scoring import batches, score
from resnet_zoo.experiments.setting import Setting
from resnet_zoo.model import ImageModel
from resnet_zoo.registry import registry
from resnet_zoo.report.figures import BarFigure, BarGroup, Cell, ExperimentReport, Table

NAME = "constructed"
SOURCE = "He et al. 2015, arXiv:1512.03385, section 1"
SHALLOW, DEEP = Net("plain", 20), Net("plain", 56)

SAME_LOGITS = Rule(
    f"In every seed no logit of the constructed net differs by more than {TOLERANCE:g} from the trained shallow net's, "
    "over all training images.",
    lambda differences: max(differences) <= TOLERANCE,
)
NO_WORSE = Rule(
    "In every seed the training error of the constructed net is no higher than the shallow net's.",
    lambda shallow, constructed: all(c <= s for s, c in zip(shallow, constructed, strict=True)),
)
SOLVER_MISSES_IT = Rule(
    "Over all seeds, the lowest training error from scratch lies above the highest of the constructed net.",
    apart,
)
RULES = (SAME_LOGITS, NO_WORSE, SOLVER_MISSES_IT)


def plan(setting: Setting) -> list[TrainingRun]:
    """All trainings."""
    return [*SHALLOW.runs(setting), *DEEP.runs(setting)]


def deepened(model: ImageModel, backbone: str, **arguments: object) -> tuple[ImageModel, int]:
    """A deeper model that computes what ``model`` computes, and the number of its blocks that are identities.

    Args:
        model: trained, of a plain net.
        backbone: name of the deeper net.
        arguments: of its builder.

    Raises:
        InvalidValue: the nets do not fit, or are not plain.
    """
    deep = registry.create(backbone, **arguments)
    added = construct_deeper(model.backbone, deep)
    built = ImageModel(deep, model.head.out_features)
    built.head.load_state_dict(model.head.state_dict())
    return built.eval(), added


def measure(checkpoint: Path, data: ImageDataModule, quick: bool) -> tuple[float, float]:
    """Largest logit difference over the training images, and training error of the constructed net in percent."""
    shallow = load_model(checkpoint).model
    deep, _ = deepened(shallow, DEEP.backbone, **DEEP.arguments(quick))
    device = best_device()
    shallow, deep = shallow.to(device), deep.to(device)
    images = (batch for batch, _ in batches(data, "train", device=device))
    difference = max_logit_difference(shallow, deep, images)
    return difference, 100.0 - score(deep, data, "train", str(checkpoint)).top1


def judge(setting: Setting, evidence: Evidence) -> ExperimentReport:
    """Construct, measure and decide."""
    data = analysis_data(setting)
    measured = [measure(file, data, setting.quick) for file in evidence.checkpoints(SHALLOW.label).values()]
    differences, constructed = [difference for difference, _ in measured], [error for _, error in measured]
    shallow, scratch = evidence.errors(SHALLOW.label), evidence.errors(DEEP.label)
    maker = ClaimMaker(setting, NAME, [describe_data(setting), *evidence.remarks()])
    in_words = "training error (%)"
    claims = [
        maker.claim(
            "same-logits",
            "Inserting identity layers makes a deeper net that computes the same.",
            SOURCE,
            SAME_LOGITS,
            {"largest difference of a logit": differences},
            remarks=["In evaluation mode; in training mode batch norm normalises by the batch once more."],
        ),
        maker.claim(
            "no-worse",
            "So a deeper net with no higher training error exists.",
            SOURCE,
            NO_WORSE,
            {f"{in_words}, {SHALLOW.title}": shallow, f"{in_words}, constructed {DEEP.title}": constructed},
        ),
        maker.claim(
            "training-misses-it",
            "Trained from scratch the same deep architecture does worse than the constructed solution.",
            SOURCE,
            SOLVER_MISSES_IT,
            {
                f"{in_words}, constructed {DEEP.title}": constructed,
                f"{in_words}, {DEEP.title} from scratch": scratch,
            },
        ),
    ]
    nets = {
        f"{SHALLOW.title}, trained": shallow,
        f"{DEEP.title}, constructed": constructed,
        f"{DEEP.title}, trained from scratch": scratch,
    }
    rows: list[list[Cell]] = [[name, listed(errors), spread(errors)] for name, errors in nets.items()]
    seeds = min(len(errors) for errors in nets.values())
    figure = BarFigure(
        "constructed-errors",
        "A deep plain net that is no worse exists, and is not found",
        "training error (%)",
        [f"seed {seed}" for seed in setting.seeds()][:seeds],
        [BarGroup(name, list(errors[:seeds])) for name, errors in nets.items()],
        caption=f"Weights of the last epoch, in evaluation mode. {describe_data(setting)}",
    )
    return ExperimentReport(
        NAME,
        "The constructed solution",
        f"A trained {SHALLOW.title} gets layers added that are identities, up to the size of {DEEP.title}. The result "
        "computes the same, so the deeper net has a solution that is no worse than the shallower one. Training the "
        f"deeper net from scratch should do at least as well, and does not. {describe_data(setting)}",
        claims,
        [figure],
        [Table("Training errors", ["net", "training error (%), each seed", "mean ± std"], rows)],
    )


EXPERIMENT = Experiment(
    NAME,
    "A deeper net that is no worse, by construction",
    ("quick", "paper"),
    plan,
    judge,
    require_cifar_in_paper,
)
