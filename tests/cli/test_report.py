"""``resnet-zoo report``: where the report goes, what is printed, and how little is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from resnet_zoo.cli.main import main
from tests.report.pages import check_page
from tests.report.run_folders import training_rows, write_run


def test_one_run_gets_its_report_beside_its_files(
    working_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(Path("runs/quick/1"))
    assert main(["report", "runs/quick/1"]) == 0
    output = capsys.readouterr().out
    assert (
        "quick/1: finished after 12 of 12 epochs; best validation error 10.00 % (epoch 12); test top-1 91.25 %"
        in output
    )
    assert "written to  runs/quick/1/report.html" in output
    assert "figures  runs/quick/1/report-figures (6, each as PNG and SVG)" in output
    check_page(Path("runs/quick/1/report.html"))
    assert main(["report", "runs/quick/1"]) == 0
    assert "replaced  runs/quick/1/report.html" in capsys.readouterr().out


def test_several_runs_are_compared_in_the_current_folder(
    working_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(Path("a"), training_rows(3), tested=False)
    write_run(Path("b"), training_rows(3), tested=False)
    assert main(["report", "a", "b"]) == 0
    assert "written to  report.html" in capsys.readouterr().out
    assert Path("report-figures/error.svg").exists()
    assert main(["report", "a", "b", "--out", "new/compared.html"]) == 0
    assert Path("new/compared-figures/error.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["a", "--out", "figures"],
            "--out figures: this is a folder. Name a file, such as 'figures/report.html'.",
        ),
        (["a", "--out", "x.pdf"], "--out x.pdf: a report is an HTML file. Name it 'x.html'."),
        (["b"], "no run directory at 'b': there is no such folder. Runs near it: 'a'."),
        ([], "resnet-zoo report: the following arguments are required: RUN. See 'resnet-zoo report --help'."),
        (["a", "--output", "x.html"], "unrecognized arguments: --output x.html. Did you mean '--out'?"),
    ],
)
def test_mistakes_are_explained_and_nothing_is_written(
    working_directory: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    write_run(Path("a"), training_rows(3))
    Path("figures").mkdir()
    assert main(["report", *words]) == 2
    assert message in capsys.readouterr().err
    assert not list(Path().rglob("*.html"))


def test_a_config_that_is_no_yaml_is_named(
    working_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (write_run(Path("a")) / "config.yaml").write_text("model: [\n")
    assert main(["report", "a"]) == 2
    assert "a/config.yaml:2: not valid YAML" in capsys.readouterr().err


def test_neither_torch_nor_lightning_is_imported(working_directory: Path, project: Path) -> None:
    write_run(Path("a"))
    program = (
        f"import sys; sys.path.insert(0, {str(project)!r})\n"
        "from resnet_zoo.cli.main import main\n"
        "assert main(['report', 'a']) == 0\n"
        "print('imported:', *sorted({'torch', 'lightning', 'jsonargparse', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "imported:"
