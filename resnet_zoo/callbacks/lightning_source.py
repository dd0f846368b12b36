"""Whether Lightning's source is what it was when something was derived from what it does not promise."""

from __future__ import annotations

import hashlib
import importlib
import inspect
from functools import cache, reduce

LOOP_OF_A_STEP = {
    "loops.training_epoch_loop:_TrainingEpochLoop.global_step": "bf52466f94cc",
    "loops.training_epoch_loop:_TrainingEpochLoop.on_run_start": "4993b0dcc52b",
    "loops.training_epoch_loop:_TrainingEpochLoop.advance": "c7555c016027",
    "loops.training_epoch_loop:_TrainingEpochLoop.on_advance_end": "2d1ddaa4e45e",
    "loops.training_epoch_loop:_TrainingEpochLoop._should_accumulate": "5482f0c6d473",
    "loops.training_epoch_loop:_TrainingEpochLoop._save_loggers_on_train_batch_end": "bd82b8b33ac2",
    "loops.training_epoch_loop:_TrainingEpochLoop._should_check_val_fx": "cf0916b12e18",
    "loops.training_epoch_loop:_TrainingEpochLoop._build_kwargs": "4a80f7e4608b",
    "loops.training_epoch_loop:_TrainingEpochLoop.update_lr_schedulers": "7ea198b469a4",
    "loops.training_epoch_loop:_TrainingEpochLoop._update_learning_rates": "26ac8752d7a3",
    "loops.optimization.automatic:_AutomaticOptimization.run": "385b43732ecc",
    "loops.optimization.automatic:_AutomaticOptimization._make_closure": "b4bd45349b04",
    "loops.optimization.automatic:_AutomaticOptimization._make_step_fn": "91e40ee2d539",
    "loops.optimization.automatic:_AutomaticOptimization._make_zero_grad_fn": "0f9b56ff1dc1",
    "loops.optimization.automatic:_AutomaticOptimization._training_step": "72e8f9529eac",
    "loops.optimization.automatic:_AutomaticOptimization._make_backward_fn": "638ca477b275",
    "loops.optimization.automatic:_AutomaticOptimization._on_before_zero_grad": "b7f44d3a31d4",
    "loops.optimization.automatic:_AutomaticOptimization._optimizer_zero_grad": "abd5876aaf91",
    "loops.optimization.automatic:_AutomaticOptimization._optimizer_step": "e196b2fa15d1",
    "loops.optimization.automatic:Closure": "bbca72c1722b",
    "loops.optimization.automatic:ClosureResult": "2da8d8114d30",
    "loops.optimization.closure:AbstractClosure": "7458ad251c30",
    "loops.utilities:_block_parallel_sync_behavior": "c66548339365",
    "trainer.connectors.logger_connector.logger_connector:_LoggerConnector.on_batch_start": "5022a98e255d",
    "trainer.connectors.logger_connector.logger_connector:_LoggerConnector.on_batch_end": "87c0a9cd43e9",
    "trainer.connectors.logger_connector.logger_connector:_LoggerConnector.update_train_step_metrics": "44584c0c55de",
    "core.module:LightningModule._call_batch_hook": "7ffd8dfc41f8",
    "core.module:LightningModule._on_before_batch_transfer": "4ccf3831e453",
    "core.module:LightningModule._apply_batch_transfer_handler": "4e7f81882614",
    "core.module:LightningModule.optimizer_step": "f07278673bfa",
    "core.module:LightningModule.clip_gradients": "4d123da68ed2",
    "core.optimizer:LightningOptimizer.step": "a080b1c57c3a",
    "loops.fetchers:_DataFetcher.__next__": "0d13131ad356",
    "strategies.strategy:Strategy.batch_to_device": "e7b211b006fe",
    "strategies.strategy:Strategy.backward": "627cfe606608",
    "strategies.strategy:Strategy.optimizer_step": "ff24a5097b26",
    "strategies.strategy:Strategy.training_step": "e0755d72cd8b",
    "strategies.strategy:Strategy.post_training_step": "8f954cd43731",
    "plugins.precision.precision:Precision.train_step_context": "8af7be843010",
    "plugins.precision.precision:Precision.forward_context": "be84f4d137d2",
    "plugins.precision.precision:Precision.pre_backward": "f94c53cfe4fc",
    "plugins.precision.precision:Precision.backward": "c45a6fcf5963",
    "plugins.precision.precision:Precision.post_backward": "26b545c12fad",
    "plugins.precision.precision:Precision.optimizer_step": "868b323ae627",
    "plugins.precision.precision:Precision._wrap_closure": "2d25ccda9ac5",
    "plugins.precision.precision:Precision._after_closure": "395e946246fa",
    "plugins.precision.precision:Precision._clip_gradients": "d517f7279607",
    "plugins.precision.amp:MixedPrecision.pre_backward": "8132c2d0f501",
    "plugins.precision.amp:MixedPrecision.optimizer_step": "63b0bee2018b",
    "trainer.call:_call_callback_hooks": "c413fb9a6a9c",
    "trainer.call:_call_lightning_module_hook": "558a87d04c46",
    "trainer.call:_call_lightning_datamodule_hook": "2c4500edeedd",
    "trainer.call:_call_strategy_hook": "ff429e3ac60d",
}
"""What ``LeanEpochLoop`` replaces or goes around: a module and what is in it, and of its source, as it is in Lightning
2.6.6, the beginning of the SHA-256.
"""


def digest(name: str) -> str | None:
    """Of something of Lightning's as it is installed: ``module:qualified.name``; None if it, or its source, is not."""
    module, _, path = name.partition(":")
    try:
        found = reduce(getattr, path.split("."), importlib.import_module(f"lightning.pytorch.{module}"))
        source = inspect.getsource(getattr(found, "fget", found))  # of a property its function
    except (ImportError, AttributeError, OSError):
        return None
    return hashlib.sha256(source.encode()).hexdigest()[:12]


@cache
def changed() -> tuple[str, ...]:
    """What of ``LOOP_OF_A_STEP`` is not as it was."""
    return tuple(name for name, expected in LOOP_OF_A_STEP.items() if digest(name) != expected)
