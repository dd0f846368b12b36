"""What is compiled where: choices, refusals, and a whole training with a compiled update."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch

from resnet_zoo import compiling
from resnet_zoo.callbacks.checkpoint_io import read_checkpoint
from resnet_zoo.cli.main import main
from resnet_zoo.compiling import CompileSettings, Workplace, compile_backbone, settle, what_compiling_lacks
from resnet_zoo.data.progressive_resizing import ProgressiveResizing
from resnet_zoo.errors import InvalidValue
from resnet_zoo.runs import read_record
from tests.ranks import run_on_ranks
from tests.small_nets import convolutional
from tests.tiny_runs import assert_close_weights, assert_same_weights, fit_words, last_checkpoint

AUTO = CompileSettings(backbone="auto", optimizer="auto")
GPU = Workplace("cuda", image_size=32)


def _lacks_nothing() -> None:
    return None


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has what a compiler needs."""
    monkeypatch.setattr(compiling, "what_compiling_lacks", lambda device: None)


@pytest.mark.parametrize(
    ("place", "mode", "said"),
    [
        (GPU, "reduce-overhead", "with CUDA graphs, for images of 32 pixels"),
        (Workplace("cuda", 224), "default", "without CUDA graphs, they are for images up to 64 pixels"),
        (Workplace("cuda", 32, world_size=8), "default", "not tried with several ranks"),
        (Workplace("cuda", 32, accumulation=2), "default", "accumulated over 2 batches"),
        (Workplace("cuda"), "default", "they are for images up to 64 pixels"),
    ],
)
@pytest.mark.usefixtures("complete")
def test_auto_on_a_gpu(place: Workplace, mode: str, said: str) -> None:
    settled, notes = settle(AUTO, place, _lacks_nothing)
    assert settled == CompileSettings(True, True, mode)  # type: ignore[arg-type]
    assert notes[:2] == ["compile auto: the backbone is compiled", "compile auto: the optimizer is compiled"]
    assert said in notes[2]
    assert settle(settled, place, _lacks_nothing) == (settled, [])


@pytest.mark.usefixtures("complete")
def test_auto_on_a_cpu_compiles_nothing_and_says_so() -> None:
    settled, notes = settle(AUTO, Workplace("cpu", 32), _lacks_nothing)
    assert settled == CompileSettings()
    assert notes == [
        f"compile auto: the {name} is not compiled: on a CPU it was not faster (docs/speed.md)"
        for name in ("backbone", "optimizer")
    ]


def test_what_is_missing_is_said_by_auto_and_refused_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "what_compiling_lacks", lambda device: "there is no compiler")
    settled, notes = settle(AUTO, GPU, _lacks_nothing)
    assert settled == CompileSettings()
    assert notes[0] == "compile auto: the backbone is not compiled: there is no compiler"
    for name in ("backbone", "optimizer"):
        with pytest.raises(
            InvalidValue, match=rf"compile\.{name}=true cannot be done: there is no compiler.*'auto'"
        ):
            settle(CompileSettings(**{name: True}), GPU, _lacks_nothing)


@pytest.mark.usefixtures("complete")
def test_an_optimizer_that_torch_does_not_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    settled, notes = settle(AUTO, GPU, lambda: "Strange is not compiled by torch")
    assert (settled.backbone, settled.optimizer) == (True, False)
    assert "the optimizer is not compiled: Strange" in notes[1]
    with pytest.raises(InvalidValue, match=r"compile\.optimizer=true cannot be done: Strange"):
        settle(CompileSettings(optimizer=True), GPU, lambda: "Strange is not compiled by torch")


@pytest.mark.parametrize(
    ("mode", "place", "message"),
    [
        ("reduce-overhead", Workplace("cpu", 32), "records CUDA graphs, and the device is cpu"),
        (
            "reduce-overhead",
            Workplace("cuda", 32, accumulation=4),
            "accumulated over 4 batches come out wrong",
        ),
        ("max-autotune", Workplace("cuda", 32, accumulation=4), "max-autotune-no-cudagraphs"),
    ],
)
@pytest.mark.usefixtures("complete")
def test_cuda_graphs_where_they_cannot_be_are_refused(mode: Any, place: Workplace, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        settle(CompileSettings(True, mode=mode), place, _lacks_nothing)


@pytest.mark.usefixtures("complete")
def test_a_mode_that_is_asked_for_stays() -> None:
    for mode, place in (("reduce-overhead", Workplace("cuda", 224, 2)), ("max-autotune", Workplace("cpu"))):
        asked = CompileSettings(True, mode=mode)  # type: ignore[arg-type]
        assert settle(asked, place, _lacks_nothing) == (asked, [])


def test_a_mode_without_a_backbone_would_have_no_effect() -> None:
    with pytest.raises(InvalidValue, match=r"compile\.mode=default would have no effect"):
        CompileSettings(mode="default")


def test_a_cpu_without_a_compiler_or_headers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    headers = tmp_path / "include"
    headers.mkdir()
    monkeypatch.setattr(compiling.sysconfig, "get_path", lambda name: str(headers))
    assert "Python.h" in str(what_compiling_lacks("cpu"))
    (headers / "Python.h").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert "no g++ or clang++ (CXX can name another)" in str(what_compiling_lacks("cpu"))
    compiler = tmp_path / "my-compiler"
    compiler.touch(mode=0o755)
    monkeypatch.setenv("CXX", "my-compiler -O2")
    assert what_compiling_lacks("cpu") is None
    assert "not tried on mps" in str(what_compiling_lacks("mps"))


def test_a_gpu_without_triton_or_too_old(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "Python.h").touch()
    (tmp_path / "gcc").touch(mode=0o755)
    monkeypatch.setattr(compiling.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(compiling, "find_spec", lambda name: None)
    assert "needs Triton" in str(what_compiling_lacks("cuda"))
    monkeypatch.setattr(compiling, "find_spec", lambda name: name)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (6, 1))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Old GPU")
    assert "Old GPU, which is too old" in str(what_compiling_lacks("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    assert what_compiling_lacks("cuda") is None


def test_on_the_command_line_it_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--model.compile.backbone", "true", "--model.compile.mode", "reduce-overhead"]
    assert main(fit_words(tmp_path / "run", *words)) == 2
    assert "records CUDA graphs, and the device is cpu" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Filled with the number of nodes of every graph that is compiled, up to what needs a C++ compiler."""
    from torch._dynamo.backends.debugging import aot_eager

    seen: list[int] = []

    def backend(graph: Any, inputs: Any) -> Any:
        seen.append(len(graph.graph.nodes))
        return aot_eager(graph, inputs)

    torch._dynamo.reset()
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    return seen


def both(switch: str) -> tuple[str, ...]:
    """Options about backbone and update."""
    return "--model.compile.backbone", switch, "--model.compile.optimizer", switch


UPDATE = ("--model.compile.optimizer", "true", "--trainer.gradient_clip_val", "0.5")


@pytest.mark.slow
def test_a_training_with_a_compiled_update_is_the_same(tmp_path: Path, graphs: list[int]) -> None:
    """15 updates, each with another learning rate: one graph that makes the momentum, and one for all others."""
    plain, compiled = tmp_path / "plain", tmp_path / "compiled"
    more = ("--trainer.accumulate_grad_batches", "2", "--model.decay_norm_and_bias", "false")
    assert main(fit_words(plain, *more, *UPDATE[2:])) == 0
    assert not graphs
    assert main(fit_words(compiled, *more, *UPDATE)) == 0
    assert 1 <= len(graphs) <= 2
    assert_close_weights(compiled, plain, rtol=1e-5, atol=1e-6)
    ours, theirs = (last_checkpoint(run)["optimizer_states"][0]["param_groups"] for run in (compiled, plain))
    assert ours == theirs


@pytest.mark.slow
def test_a_compiled_update_resumes_bit_for_bit(tmp_path: Path, graphs: list[int]) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(fit_words(whole, *UPDATE)) == 0
    assert (
        main(fit_words(parts, *UPDATE, "--checkpoint.every_n_steps", "4", "--trainer.limit_val_batches", "0"))
        == 0
    )
    earlier = parts / "checkpoints/previous.ckpt"
    assert read_checkpoint(earlier)["global_step"] < last_checkpoint(whole)["global_step"]
    resumed = tmp_path / "resumed"
    assert main(fit_words(resumed, *UPDATE, "--ckpt_path", str(earlier))) == 0
    assert_same_weights(whole, resumed)


@pytest.mark.slow
def test_a_backbone_is_compiled_once_for_every_shape(graphs: list[int]) -> None:
    resizing = ProgressiveResizing(8, 12, start_epoch=0, end_epoch=4, multiple=1)
    sizes = {resizing.size_at(epoch, 12) for epoch in range(9)}
    assert len(sizes) == resizing.most_sizes == 5
    net = convolutional()
    compile_backbone(net, "default", resizing.most_sizes)
    for _ in range(2):
        for size in sorted(sizes):
            for images in (4, 3):
                net(torch.randn(images, 3, size, size)).sum().backward()
    assert len(graphs) == 2 * len(sizes), "torch gives up after eight by default"


@pytest.mark.slow
@pytest.mark.skipif(what_compiling_lacks("cpu") is not None, reason=str(what_compiling_lacks("cpu")))
def test_torch_s_compiler_trains_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Backbone and update, in the shapes of full and of shorter batches, with validations between; nothing is faked."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    plain, compiled = tmp_path / "plain", tmp_path / "compiled"
    words = ("--trainer.max_epochs", "2", "--model.backbone.dropout", "0.0")
    assert main(fit_words(plain, *words)) == 0
    assert main(fit_words(compiled, *words, *both("true"))) == 0
    assert_close_weights(compiled, plain, rtol=1e-3, atol=1e-5)
    assert read_record(compiled / "record.json")["compile"] == {
        "backbone": True,
        "optimizer": True,
        "mode": "default",
    }


@pytest.mark.slow
def test_ranks_that_compile_train_the_same(tmp_path: Path, graphs: list[int]) -> None:
    plain, compiled = tmp_path / "plain", tmp_path / "compiled"
    words = ("--trainer.max_epochs", "1", "--ddp.static_graph", "true", "--model.backbone.dropout", "0.0")
    assert run_on_ranks(2, main, fit_words(plain, *words)) == [0, 0]
    assert run_on_ranks(
        2, main, fit_words(compiled, *words, "--model.compile.backbone", "true", *UPDATE[:2])
    ) == [0, 0]
    assert_close_weights(compiled, plain, rtol=1e-3, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a CUDA device")
def test_cuda_graphs_train_the_same(tmp_path: Path) -> None:
    plain, compiled = tmp_path / "plain", tmp_path / "compiled"
    words = (
        "--trainer.accelerator",
        "gpu",
        "--model.backbone.dropout",
        "0.0",
        "--ema.decay",
        "0.9",
        "--tf32",
        "none",
    )
    assert main(fit_words(plain, *words)) == 0
    assert main(fit_words(compiled, *words, *both("auto"))) == 0
    assert read_record(compiled / "record.json")["compile"]["mode"] == "reduce-overhead"
    assert_close_weights(compiled, plain, rtol=1e-2, atol=1e-4)
