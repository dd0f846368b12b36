"""Where metrics go: a CSV table always, and one service of the user's choice."""

from resnet_zoo.loggers.default import LoggerName, default_loggers
from resnet_zoo.loggers.metrics_csv import MetricsCSV
from resnet_zoo.loggers.wandb import RunWandbLogger, WandbSettings, wandb_logger
from resnet_zoo.loggers.wandb_mode import WandbMode, resolve_mode

__all__ = [
    "LoggerName",
    "MetricsCSV",
    "RunWandbLogger",
    "WandbMode",
    "WandbSettings",
    "default_loggers",
    "resolve_mode",
    "wandb_logger",
]
