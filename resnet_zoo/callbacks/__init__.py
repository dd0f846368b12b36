"""What every run does beside training: write metrics and checkpoints, show progress, keep time."""

from resnet_zoo.callbacks.bad_images import BadImageBudgetExceeded, BadImages
from resnet_zoo.callbacks.checkpoints import Checkpoints, CheckpointSettings
from resnet_zoo.callbacks.ema import ExponentialMovingAverage
from resnet_zoo.callbacks.ema_decay import EmaSettings
from resnet_zoo.callbacks.idle_hooks import NoProfiler, lean_trainer, leave_out_idle_hooks
from resnet_zoo.callbacks.metrics_writer import MetricsWriter
from resnet_zoo.callbacks.non_finite import TrainingDiverged, assert_finite
from resnet_zoo.callbacks.non_finite_skip import NonFiniteSettings, SkipNonFinite
from resnet_zoo.callbacks.preemption import Preemption
from resnet_zoo.callbacks.progress import ProgressLines, TerminalBar, default_progress_bar
from resnet_zoo.callbacks.quiet import quieten_lightning
from resnet_zoo.callbacks.run_summary import RunSummary
from resnet_zoo.callbacks.step_seeds import StepSeeds
from resnet_zoo.callbacks.stop_signals import Stopped, StopSignals
from resnet_zoo.callbacks.training_clock import TrainingClock

__all__ = [
    "BadImageBudgetExceeded",
    "BadImages",
    "CheckpointSettings",
    "Checkpoints",
    "EmaSettings",
    "ExponentialMovingAverage",
    "MetricsWriter",
    "NoProfiler",
    "NonFiniteSettings",
    "Preemption",
    "ProgressLines",
    "RunSummary",
    "SkipNonFinite",
    "StepSeeds",
    "StopSignals",
    "Stopped",
    "TerminalBar",
    "TrainingClock",
    "TrainingDiverged",
    "assert_finite",
    "default_progress_bar",
    "lean_trainer",
    "leave_out_idle_hooks",
    "quieten_lightning",
]
