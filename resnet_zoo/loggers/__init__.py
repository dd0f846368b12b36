"""Where metrics go: a CSV table always, and one service of the user's choice."""

from resnet_zoo.loggers.default import LoggerName, attach_files, close_loggers, default_loggers
from resnet_zoo.loggers.fenced import FencedLogger
from resnet_zoo.loggers.metrics_csv import MetricsCSV
from resnet_zoo.loggers.wandb import RunWandbLogger
from resnet_zoo.loggers.wandb_mode import WandbMode, resolve_mode
from resnet_zoo.loggers.wandb_settings import WandbSettings

__all__ = [
    "FencedLogger",
    "LoggerName",
    "MetricsCSV",
    "RunWandbLogger",
    "WandbMode",
    "WandbSettings",
    "attach_files",
    "close_loggers",
    "default_loggers",
    "resolve_mode",
]
