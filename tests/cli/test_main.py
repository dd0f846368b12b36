"""The dispatcher: what it runs, what it imports, how it ends."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

import resnet_zoo
from resnet_zoo.cli import main as dispatcher
from resnet_zoo.cli.commands import Command
from resnet_zoo.cli.main import COMMANDS, main
from resnet_zoo.cli.parser import CommandParser, positive_int
from resnet_zoo.errors import InvalidValue

HEAVY = ("torch", "torchvision", "lightning", "jsonargparse", "numpy", "yaml")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "resnet_zoo", *words], capture_output=True, text=True, check=False
    )


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A command ``try`` whose main a test sets."""
    module = types.ModuleType("a_command_for_tests")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(COMMANDS, "try", Command(module.__name__, "for tests"))
    return module


def raising(error: BaseException) -> object:
    def command_main(argv: list[str]) -> int:
        raise error

    return command_main


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["list"], ["list", "--help"], ["lits"]], ids=" ".join
)
def test_light_commands_import_no_library(words: list[str]) -> None:
    program = (
        "import sys, contextlib; from resnet_zoo.cli.main import main\n"
        f"with contextlib.suppress(SystemExit): main({words})\n"
        f"print(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stderr.splitlines()[-1] == ""


MISTAKES = [
    *(f"{name} --config no_such_config" for name in ("fit", "validate", "test", "predict", "explain")),
    "fit --config mine.yaml",
    "fit",
    "verify-resume --config no_such_config",
    "verify-resume --config quickstart --kill-at soon",
    "benchmark data --config no_such_config",
    "benchmark step",
    "benchmark model --backbone",
    "describe",
    "describe resnet5O",
    "check-backbone resnet5O",
    "data check",
    "data pack somewhere",
    "export best.ckpt --format tflite",
    "analyze response best.ckpt",
    "deepen best.ckpt",
    "reproduce degradatoin",
    "report --ouput x",
]


def test_no_help_and_no_early_mistake_waits_for_torch(working_directory: Path) -> None:
    """One process for all of them: what the first imports the others would find."""
    (working_directory / "mine.yaml").write_text("trainer:\n  max_epochs: 1\n  max_epochs: 2\n")
    program = (
        "import contextlib, importlib, sys\n"
        "from resnet_zoo.cli.main import COMMANDS, main\n"
        "def helps(words, commands):\n"
        "    for name, command in commands.items():\n"
        "        yield [*words, name, '--help'], 0\n"
        "        group = getattr(importlib.import_module(command.module).main, '__self__', None)\n"
        "        if group is not None: yield from helps([*words, name], group.commands)\n"
        f"mistakes = [(line.split(), 2) for line in {MISTAKES}]\n"
        "for words, expected in [*helps([], COMMANDS), *mistakes]:\n"
        "    try: code = main(words)\n"
        "    except SystemExit as ended: code = ended.code\n"
        "    assert code == expected, (words, code)\n"
        "    assert 'torch' not in sys.modules, words\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


def test_help_lists_every_command_and_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text and command.help in text for name, command in COMMANDS.items())
    assert "example: resnet-zoo" in text


def test_without_a_command_the_help_is_shown_as_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: resnet-zoo COMMAND" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"resnet-zoo {resnet_zoo.__version__}\n"


def test_every_command_has_a_module() -> None:
    for command in COMMANDS.values():
        assert importlib.util.find_spec(command.module), command


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lits"]) == 2
    assert (
        capsys.readouterr().err == "no command named 'lits'. Did you mean 'list'? See 'resnet-zoo --help'.\n"
    )


def test_a_command_gets_its_words_and_gives_the_exit_code(command: types.ModuleType) -> None:
    seen: list[list[str]] = []

    def command_main(argv: list[str]) -> int:
        seen.append(argv)
        return 7

    command.main = command_main  # type: ignore[attr-defined]
    assert main(["try", "a", "--traceback", "--b", "c"]) == 7
    COMMANDS["try"] = COMMANDS["try"]._replace(keeps_name=True)
    assert main(["try", "a"]) == 7
    assert seen == [["a", "--b", "c"], ["try", "a"]]


def test_a_mistake_is_one_message_and_a_traceback_on_request(
    command: types.ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    command.main = raising(InvalidValue("global_batch_size=250 does not divide."))  # type: ignore[attr-defined]
    assert main(["try"]) == 2
    assert capsys.readouterr().err == "global_batch_size=250 does not divide.\n"
    with pytest.raises(InvalidValue, match="does not divide"):
        main(["try", "--traceback"])


def test_a_defect_of_ours_keeps_its_traceback(command: types.ModuleType) -> None:
    command.main = raising(ValueError("a defect"))  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="a defect"):
        main(["try"])


def test_an_interrupt_ends_with_one_line(
    command: types.ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    command.main = raising(KeyboardInterrupt())  # type: ignore[attr-defined]
    assert main(["try"]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_torch_and_torchvision_of_different_builds(
    command: types.ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    command.main = raising(RuntimeError("operator torchvision::nms does not exist"))  # type: ignore[attr-defined]
    assert main(["try"]) == 2
    assert "install both again from the same package index" in capsys.readouterr().err
    command.main = raising(RuntimeError("another error"))  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="another error"):
        main(["try"])


def test_a_reader_that_goes_away_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        answer = subprocess.run(
            [sys.executable, "-m", "resnet_zoo", "list"], stdout=writer, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writer)
    assert (answer.returncode, answer.stderr) == (dispatcher.CLOSED_PIPE, b"")


def test_as_a_module(working_directory: Path) -> None:
    assert run("--version").stdout == f"resnet-zoo {resnet_zoo.__version__}\n"
    wrong = run("list", "resnet5O")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Did you mean 'resnet50'" in wrong.stderr


def test_parsers_take_no_abbreviations_and_name_the_nearest_option() -> None:
    parser = CommandParser("try", "Tries.", "resnet-zoo try")
    parser.add_argument("--image-size", type=positive_int)
    with pytest.raises(InvalidValue) as caught:
        parser.parse_args(["--image-siz", "3"])
    assert str(caught.value).startswith("resnet-zoo try: unrecognized arguments: --image-siz")
    assert "Did you mean '--image-size'? See 'resnet-zoo try --help'." in str(caught.value)
    for value in ("0", "-1", "big", "1.5"):
        with pytest.raises(InvalidValue, match="is not a whole number of at least 1"):
            parser.parse_args([f"--image-size={value}"])
    assert parser.parse_args(["--image-size", "8"]).image_size == 8


@pytest.mark.parametrize("name", ["list", "describe", "check-backbone"])
def test_every_help_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"example: resnet-zoo {name}" in capsys.readouterr().out
