"""TF32, cuDNN's search, fused optimizers, and how gradients are exchanged: chosen, refused, recorded."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy

from resnet_zoo.cli.ddp_options import DdpSettings, settle_ddp
from resnet_zoo.cli.device_options import check_optimizer, choose_cudnn_benchmark, set_tf32
from resnet_zoo.cli.main import main
from resnet_zoo.errors import InvalidValue
from resnet_zoo.runs import read_record
from tests.ranks import run_on_ranks
from tests.tiny_runs import assert_same_weights, fit_words, last_checkpoint


@pytest.mark.parametrize(
    ("device", "given", "deterministic", "expected"),
    [
        ("cuda", None, None, True),
        ("cuda", None, True, False),
        ("cuda", None, "warn", False),
        ("cuda", False, None, False),
        ("cuda", True, True, True),
        ("cpu", None, None, None),
    ],
)
def test_cudnn_searches_unless_somebody_decided(
    device: str, given: Any, deterministic: Any, expected: Any
) -> None:
    trainer = SimpleNamespace(benchmark=given, deterministic=deterministic)
    notes = choose_cudnn_benchmark(trainer, device)
    assert trainer.benchmark == expected
    assert bool(notes) == (device == "cuda" and given is None)


@pytest.fixture
def precisions(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is set, without a GPU and without a trace in this process."""
    seen: dict[str, Any] = {}
    monkeypatch.setattr(torch, "set_float32_matmul_precision", partial(seen.__setitem__, "matrices"))
    cudnn = SimpleNamespace()
    monkeypatch.setattr(torch.backends, "cudnn", cudnn)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    seen["cudnn"] = cudnn
    return seen


@pytest.mark.parametrize(
    ("allowed", "matrices", "convolutions"),
    [("none", "highest", False), ("convolutions", "highest", True), ("all", "high", True)],
)
def test_tf32_is_for_what_was_said(
    allowed: Any, matrices: str, convolutions: bool, precisions: dict[str, Any]
) -> None:
    set_tf32(allowed, "cuda", "command line")
    assert (precisions["matrices"], precisions["cudnn"].allow_tf32) == (matrices, convolutions)


def test_tf32_is_refused_where_there_is_none(
    precisions: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidValue, match=r"a\.yaml:1: tf32=all cannot be used: a cpu device has no TF32"):
        set_tf32("all", "cpu", "a.yaml:1")
    set_tf32("none", "cpu", "a.yaml:1")
    assert "matrices" not in precisions
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Old GPU")
    with pytest.raises(InvalidValue, match="Old GPU has no TF32"):
        set_tf32("all", "cuda", "command line")


def test_the_flags_of_torch_are_as_this_version_reads_them() -> None:
    """Both ways of setting them must not be mixed: reading raises then, here and in Lightning."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    assert before == ("highest", True)


def _check(precision: str, clip: float | None, **optimizer: Any) -> None:
    factory = partial(torch.optim.SGD, lr=0.1, **optimizer)
    trainer = SimpleNamespace(precision=precision, gradient_clip_val=clip)
    check_optimizer(SimpleNamespace(optimizer_factory=factory), trainer)  # type: ignore[arg-type]


def test_fused_and_clipping_and_float16_exclude_each_other() -> None:
    _check("16-mixed", 1.0)
    _check("16-mixed", None, fused=True)
    _check("bf16-mixed", 1.0, fused=True)
    with pytest.raises(InvalidValue, match=r"SGD with fused=true undoes .*gradient_clip_val=1 clips before"):
        _check("16-mixed", 1.0, fused=True)


def test_a_mistaken_optimizer_is_told_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--model.optimizer.fused", "true", "--model.optimizer.foreach", "true"]
    assert main(fit_words(tmp_path / "run", *words)) == 2
    assert "`fused` and `foreach` cannot be `True` together" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def _trainer(strategy: Any, world_size: int = 2, accumulation: int = 1) -> Any:
    return SimpleNamespace(strategy=strategy, world_size=world_size, accumulate_grad_batches=accumulation)


def _ddp(device: str = "cpu", **options: Any) -> DDPStrategy:
    strategy = DDPStrategy(parallel_devices=[torch.device(device)], **options)
    strategy.cluster_environment = SimpleNamespace(local_rank=lambda: 0)  # type: ignore[assignment]
    return strategy


def test_bucket_views_are_on_by_default_and_everything_else_is_torch_s() -> None:
    strategy = _ddp()
    assert settle_ddp(DdpSettings(), _trainer(strategy)) == {
        "gradient_as_bucket_view": True,
        "compression": None,
    }
    assert strategy._ddp_kwargs == {"gradient_as_bucket_view": True}
    strategy = _ddp(gradient_as_bucket_view=False)
    assert settle_ddp(DdpSettings(), _trainer(strategy))["gradient_as_bucket_view"] is False


def test_what_is_set_reaches_the_strategy() -> None:
    strategy = _ddp("cuda")
    settings = DdpSettings(False, static_graph=True, bucket_cap_mb=10, compression="bf16")
    settle_ddp(settings, _trainer(strategy))
    assert strategy._ddp_kwargs == {
        "gradient_as_bucket_view": False,
        "static_graph": True,
        "bucket_cap_mb": 10,
    }
    assert strategy._ddp_comm_hook.__name__ == "bf16_compress_hook"


@pytest.mark.parametrize(
    ("settings", "strategy", "world_size", "message"),
    [
        (DdpSettings(static_graph=True), SingleDeviceStrategy(), 1, r"ddp\.static_graph: .* has one rank"),
        (DdpSettings(bucket_cap_mb=1), SimpleNamespace(), 2, "has the strategy SimpleNamespace"),
        (
            DdpSettings(static_graph=True),
            _ddp(static_graph=False),
            2,
            "trainer.strategy has static_graph=False",
        ),
        (DdpSettings(compression="fp16"), _ddp(), 2, r"ddp\.compression=fp16: .* runs on cpu"),
        (
            DdpSettings(compression="fp16"),
            _ddp("cuda", ddp_comm_hook=print),
            2,
            "has a ddp_comm_hook already",
        ),
    ],
)
def test_what_would_have_no_effect_is_refused(
    settings: DdpSettings, strategy: Any, world_size: int, message: str
) -> None:
    with pytest.raises(InvalidValue, match=message):
        settle_ddp(settings, _trainer(strategy, world_size))


def test_a_static_graph_is_refused_where_batches_are_accumulated() -> None:
    """torch would end in an internal assertion at the first of them."""
    with pytest.raises(InvalidValue, match=r"accumulate_grad_batches=2\. Set --ddp\.static_graph false"):
        settle_ddp(DdpSettings(static_graph=True), _trainer(_ddp(), accumulation=2))
    with pytest.raises(InvalidValue, match=r"trainer\.strategy: static_graph=true fails .* Set it to false"):
        settle_ddp(DdpSettings(), _trainer(_ddp(static_graph=True), accumulation=2))
    assert (
        settle_ddp(DdpSettings(static_graph=False), _trainer(_ddp(), accumulation=2))["static_graph"] is False
    )


def test_a_bucket_of_no_size_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"ddp\.bucket_cap_mb=0 is not allowed"):
        DdpSettings(bucket_cap_mb=0)


def test_one_rank_has_nothing_to_exchange(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(fit_words(tmp_path / "run", "--ddp.static_graph", "true")) == 2
    assert "this training has one rank" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ("--ddp.static_graph", "true"),
        ("--ddp.bucket_cap_mb", "0.001"),
        ("--ddp.bucket_cap_mb", "0.001", "--trainer.accumulate_grad_batches", "3"),
    ],
    ids=["static graph", "small buckets", "accumulated"],
)
def test_the_exchange_changes_no_weight(tmp_path: Path, options: tuple[str, ...]) -> None:
    plain, other = tmp_path / "plain", tmp_path / "other"
    accumulation = options[2:]
    words = fit_words(plain, "--ddp.gradient_as_bucket_view", "false", *accumulation)
    assert run_on_ranks(2, main, words) == [0, 0]
    assert run_on_ranks(2, main, fit_words(other, *options)) == [0, 0]
    assert_same_weights(plain, other)
    assert last_checkpoint(plain)["global_step"] == 15
    assert read_record(other / "record.json")["ddp"]["gradient_as_bucket_view"] is True
