"""LightningCLI with its traps closed: one parser, our messages, our defaults, one owner for every run directory."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import yaml
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.strategies import DDPStrategy

from resnet_zoo.callbacks import (
    BadImages,
    Checkpoints,
    ExponentialMovingAverage,
    MetricsWriter,
    Preemption,
    RunSummary,
    SkipNonFinite,
    StepSeeds,
    StopSignals,
    TrainingClock,
    default_progress_bar,
    lean_trainer,
)
from resnet_zoo.callbacks.checkpoint_io import AtomicCheckpointIO
from resnet_zoo.callbacks.sync_batch_norm import SyncBatchNormEverywhere
from resnet_zoo.classifier import ImageClassifier
from resnet_zoo.cli.arguments import Arguments
from resnet_zoo.cli.building import as_list, build
from resnet_zoo.cli.consistency import check_training
from resnet_zoo.cli.descriptions import DESCRIPTIONS, OWNED_TRAINER_KEYS
from resnet_zoo.cli.device_options import choose_cudnn_benchmark, set_tf32, settle_training
from resnet_zoo.cli.launch import LAUNCHER_KEYS, Launch, trainer_defaults
from resnet_zoo.cli.left_behind import left_behind_notes
from resnet_zoo.cli.names import short_names
from resnet_zoo.cli.precision_choice import device_of, settle_precision
from resnet_zoo.cli.preflight import follow_launcher
from resnet_zoo.cli.run_options import add_run_options
from resnet_zoo.cli.training_parser import TrainingParser
from resnet_zoo.data import ImageDataModule
from resnet_zoo.errors import InvalidValue
from resnet_zoo.registry import registry
from resnet_zoo.runs import redact


class TrainingCLI(LightningCLI):
    """Parses the arguments of a training command and builds data, model and trainer from them.

    Args:
        command: fit, validate, test or predict.
        arguments: the merged config and the remaining options.
        launch: how this process was started.
        construct: whether to build anything; without, only the parsed config is of interest.
        more_callbacks: what somebody who calls from Python wants to look on.
    """

    datamodule: ImageDataModule
    model: ImageClassifier
    trainer: Trainer

    def __init__(
        self,
        command: str,
        arguments: Arguments,
        launch: Launch,
        construct: bool = True,
        more_callbacks: Sequence[Callback] = (),
    ) -> None:
        self.command = command
        self.arguments = arguments
        self.launch = launch
        self._construct = construct
        self._more_callbacks = more_callbacks
        self.closing = ExitStack()
        self.notes: list[str] = []
        self.ddp: dict[str, Any] = {}
        super().__init__(
            ImageClassifier,
            ImageDataModule,
            subclass_mode_data=True,
            save_config_callback=None,
            seed_everything_default=0,
            parser_class=TrainingParser,
            parser_kwargs={
                "prog": f"resnet-zoo {command}",
                "description": DESCRIPTIONS[command],
                "allow_abbrev": False,
            },
            trainer_defaults={
                "num_sanity_val_steps": 0,
                "enable_model_summary": False,
                "use_distributed_sampler": False,
                "logger": False,
                **trainer_defaults(launch),
            },
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            args=arguments.words(),
            run=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The keys that belong to no class of the framework: the run and what is written about it."""
        assert isinstance(parser, TrainingParser)
        parser.arguments = self.arguments
        add_run_options(parser, self.command)
        parser.link_arguments("data.num_classes", "model.num_classes", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse our words, whatever ``sys.argv`` holds.

        Raises:
            UserMistake: something in them is not allowed.
        """
        assert isinstance(parser, TrainingParser)
        self.config = parser.parse(args)
        self.notes += left_behind_notes(self.arguments, self.config)

    def _parse_ckpt_path(self) -> None:
        """Nothing: a checkpoint's hyper-parameters never override the config or the command line."""

    def before_instantiate_classes(self) -> None:
        """Refuse trainer settings that would work against what every run has."""
        for key, advice in OWNED_TRAINER_KEYS.items():
            if self._was_set(f"trainer.{key}"):
                raise InvalidValue(f"{self.where(f'trainer.{key}')}: 'trainer.{key}' cannot be set. {advice}")
        if self.launch.external:
            follow_launcher(self.launch, self.config.trainer)
        if self._construct:
            given = self._was_set("trainer.precision")
            self.notes += settle_precision(self.config, given, self.where("trainer.precision"))
            device = device_of(str(self.config.trainer.accelerator))
            set_tf32(self.config.tf32, device, self.where("tf32"))
            if self.command == "fit":
                self.notes += choose_cudnn_benchmark(self.config.trainer, device)

    def _was_set(self, key: str) -> bool:
        """Whether a config or the command line sets a key of the trainer."""
        configured = self.arguments.config.values.get("trainer") or {}
        return key.removeprefix("trainer.") in configured or self.arguments.option(key) is not None

    def where(self, key: str) -> str:
        """Where a key was set, for messages: a file and line, or the command line."""
        if self.arguments.option(key) is not None:
            return "command line"
        return str(self.arguments.config.origin_of(tuple(key.split("."))) or "command line")

    def instantiate_classes(self) -> None:
        """Build data, model and trainer, in this order, so that bad input fails before anything is written."""
        if not self._construct:
            return
        self.config_init = build(self.parser, self.config)
        self.datamodule, self.model = self.config_init.data, self.config_init.model
        if self.command == "fit":
            check_training(self.model, self.datamodule)
        if not isinstance(self.config.seed_everything, bool):
            self.datamodule.set_seed(self.config.seed_everything)
        self._note_how_the_backbone_was_built()
        self.checkpoints = Checkpoints(self.config_init.checkpoint)
        self.signals = StopSignals(speaks=self.launch.rank == 0)
        self.clock = TrainingClock()
        skip, average = self.config.non_finite.skip, self.config_init.ema
        self.skips = SkipNonFinite(skip) if skip else None
        self.ema = None
        if self.command == "fit" and average.decay is not None:
            self.ema = ExponentialMovingAverage(average, self.skips)
        self.trainer = self.instantiate_trainer()
        if self.command == "fit":
            self.notes += settle_training(self)

    def _note_how_the_backbone_was_built(self) -> None:
        """A builder given by import path records nothing itself; the config knows."""
        configured = self.config.model.backbone
        if getattr(self.model.backbone, "built_by", None) is None:
            arguments = configured.get("init_args")
            self.model.backbone.built_by = {  # type: ignore[assignment]
                "name": configured.class_path,
                "arguments": arguments.as_dict() if arguments else {},
            }

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """The trainer, with the callbacks that every run has beside the config's own."""
        settings = self.config_init.trainer.as_dict()
        shown = settings["enable_progress_bar"] is not False
        ours: list[Callback] = [
            RunSummary(self.notes),
            StepSeeds(self._seed()),
            self.clock,
            *filter(None, (self.skips, self.ema)),
            MetricsWriter(),
            BadImages(self.datamodule.bad_image_budget),
            self.checkpoints,
        ]
        if shown:
            ours.append(default_progress_bar(sys.stderr.isatty()))
        ours.append(Preemption(self.signals, self.checkpoints, self.config.rank_timeout))
        settings["callbacks"] = [*as_list(settings.get("callbacks")), *ours, *self._more_callbacks]
        settings["plugins"] = [*as_list(settings.get("plugins")), AtomicCheckpointIO()]
        if settings["sync_batchnorm"]:
            settings["plugins"].append(
                SyncBatchNormEverywhere(on_cpu=lambda: self.trainer.strategy.root_device.type == "cpu")
            )
        try:
            trainer = lean_trainer(settings, self.model)
        except (
            MisconfigurationException,
            TypeError,
            ValueError,
        ) as error:  # what Lightning says of its settings
            raise InvalidValue(f"the trainer refuses its settings: {str(error).strip()}") from error
        if isinstance(trainer.strategy, DDPStrategy):  # for the ranks that Lightning starts
            trainer.strategy._timeout = timedelta(seconds=self.config.rank_timeout)
        return trainer

    def _seed(self) -> int:
        """The run's seed; the data set's own where the run has none."""
        seed = self.config.seed_everything
        return int(self.datamodule.seed or 0) if isinstance(seed, bool) or seed is None else int(seed)

    def resolved_config(self) -> str:
        """The whole config as YAML, every default included and secrets taken out; it runs again as it is."""
        text = self.parser.dump(self.config, skip_link_targets=True, skip_unset=False)
        values = short_names(yaml.safe_load(text))
        for key in ("resume", "ckpt_path", "run_dir", "force_resume", "protocol", "scales", "weights"):
            values.pop(key, None)
        for key in OWNED_TRAINER_KEYS:
            values["trainer"].pop(key, None)
        for key in LAUNCHER_KEYS:  # the number of ranks is torchrun's, not the experiment's
            if not self._was_set(f"trainer.{key}"):
                values["trainer"].pop(key, None)
        return yaml.safe_dump(redact(values), sort_keys=False)

    def backbone_built_by(self) -> dict[str, Any]:
        """Name and arguments of the backbone."""
        built_by: dict[str, Any] = self.model.backbone.built_by  # type: ignore[assignment]
        return built_by

    def backbone_provenance(self) -> dict[str, Any]:
        """Name, package, version and module of the backbone, with the arguments it was built with."""
        built_by = self.backbone_built_by()
        return {**registry.resolve(built_by["name"]).provenance(), "arguments": built_by["arguments"]}
