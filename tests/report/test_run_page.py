"""The report of runs: what it shows, that it is one file, and what it never does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resnet_zoo.errors import InvalidValue
from resnet_zoo.report.run_data import RunData, read_runs
from resnet_zoo.report.run_facts import summary
from resnet_zoo.report.run_figures import FIGURE_NAMES, error_figure, run_figures
from resnet_zoo.report.run_page import figures_folder, run_notes, write_run_report
from resnet_zoo.report.run_tables import config_differences, evidence_table, runs_table
from tests.report import run_folders
from tests.report.pages import check_page
from tests.report.run_folders import age, training_rows, write_run


def read(*paths: Path) -> list[RunData]:
    return read_runs(paths, lambda path: json.loads(path.read_text()))


def test_the_report_is_one_file_with_its_figures_beside_it(tmp_path: Path) -> None:
    runs = read(write_run(tmp_path / "a"), write_run(tmp_path / '<i>"b"&$', training_rows(5), tested=False))
    page = tmp_path / "out" / "report.html"
    files = write_run_report(runs, page)
    assert files[0] == page
    assert {file.name for file in files[1:]} == {
        f"{name}.{ending}" for name in FIGURE_NAMES for ending in ("png", "svg")
    }
    text = check_page(page)
    for expected in (
        "91.25 % (365 of 400); error 8.75 %",
        "0123456789ab, with uncommitted changes",
        "269,722",
        "Digits (500",
    ):
        assert expected in text
    assert "&lt;i&gt;&quot;b&quot;&amp;$" in text


def test_a_new_report_takes_the_old_figures_along(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    write_run_report(read(write_run(tmp_path / "a")), page)
    assert (figures_folder(page) / "gradient-norm.png").exists()
    write_run_report(read(write_run(tmp_path / "b", training_rows(3), tested=False)), page)
    assert not (figures_folder(page) / "gradient-norm.png").exists()


def test_somebody_else_s_file_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text("<html>my thesis</html>")
    with pytest.raises(
        InvalidValue, match=r"index\.html' exists and is no report of resnet-zoo; it is left alone"
    ):
        write_run_report(read(write_run(tmp_path / "a")), page)
    assert page.read_text() == "<html>my thesis</html>"


def test_training_is_thin_and_validation_bold_in_one_colour(tmp_path: Path) -> None:
    figure = error_figure(read(write_run(tmp_path / "a"), write_run(tmp_path / "b")))
    assert [(one.emphasis, one.group, one.label) for one in figure.series] == [
        ("thin", "a", ""), ("bold", "a", "a"), ("thin", "b", ""), ("bold", "b", "b"),
    ]  # fmt: skip
    assert figure.series[1].y[-1] == pytest.approx(10.0, abs=0.01)
    assert figure.series[0].x == [float(epoch) for epoch in range(1, 13)]


def test_the_ring_is_where_the_curve_converged(tmp_path: Path) -> None:
    (run,) = read(write_run(tmp_path / "a"))
    (ring,) = error_figure([run]).marks
    assert run.convergence is not None
    assert (ring.x, ring.y) == (run.convergence.epoch, run.convergence.error)
    assert f"converged at epoch {ring.x:g}" in error_figure([run]).caption


def test_a_curve_that_still_falls_is_said_to(tmp_path: Path) -> None:
    (run,) = read(write_run(tmp_path / "a", training_rows(12, lambda epoch: 90 - 5 * epoch)))
    figure = error_figure([run])
    assert figure.marks == []
    assert "a: not converged: the validation error was still improving" in figure.caption


def test_without_validation_the_training_is_drawn_alone(tmp_path: Path) -> None:
    (run,) = read(write_run(tmp_path / "a", training_rows(12, validates=False)))
    figure = error_figure([run])
    assert [(one.emphasis, one.label) for one in figure.series] == [("bold", "a")]
    assert figure.title == "Top-1 error"
    assert "no validation error to judge convergence by" in figure.caption


def test_figures_without_data_are_left_out(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a")
    (path / "metrics.csv").write_text("step,epoch,train/loss\n")
    assert run_figures(read(path)) == []
    write_run_report(read(path), tmp_path / "report.html")


def test_gradient_norms_are_drawn_by_layer(tmp_path: Path) -> None:
    figures = {figure.name: figure for figure in run_figures(read(write_run(tmp_path / "a")))}
    assert figures["gradient-norm-by-layer"].series[-1].y == [1.0, 2.0, 4.0]
    assert figures["gradient-norm"].series[0].y[0] == pytest.approx((1 + 4 + 16) ** 0.5)


def test_a_step_schedule_is_drawn_in_powers_of_ten(tmp_path: Path) -> None:
    rows = training_rows(12)
    for row in rows:
        if "lr" in row:
            row["lr"] = 0.1 if row["step"] <= 60 else 0.001
    figures = {figure.name: figure for figure in run_figures(read(write_run(tmp_path / "a", rows)))}
    assert figures["learning-rate"].log_y
    smooth = {figure.name: figure for figure in run_figures(read(write_run(tmp_path / "b")))}
    assert not smooth["learning-rate"].log_y


def test_the_table_names_what_is_known(tmp_path: Path) -> None:
    table = runs_table(read(write_run(tmp_path / "a")))
    lines = {str(row[0]): row[1] for row in table.rows}
    assert lines["backbone"] == "resnet20_cifar"
    assert lines["epochs"] == "12 (120 updates)"
    assert lines["training time"] == "12 s"
    assert lines["images per second"] == "500"
    assert lines["validation error, best"] == "10.00 % (epoch 12)"
    assert "host" in lines
    assert "test top-5" in lines


def test_the_evidence_names_what_the_number_rests_on(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a")
    bad = run_folders.result(
        evaluated=399, expected=400, unreadable=["dog/3.png"], correct1=364, top1=91.23, top5=99.75
    )
    (path / "test.json").write_text(json.dumps(bad))
    runs = read(path)
    table = evidence_table(runs)
    assert table is not None
    lines = {str(row[0]): row[1] for row in table.rows}
    assert (lines["images expected"], lines["images evaluated"], lines["counted more than once"]) == (
        "400",
        "399",
        "0",
    )
    assert lines["unreadable"] == "1: dog/3.png"
    assert lines["processes"] == "3"
    assert run_notes(runs[0]) == [
        "a, test.json: 1 of 400 images were unreadable; the scores are over the other 399."
    ]


def test_an_average_is_told_from_the_weights(tmp_path: Path) -> None:
    rows = training_rows(4)
    for row in rows:
        if "val/top1" in row:
            row["val/ema_top1"] = row["val/top1"] + 2.5
    path = write_run(tmp_path / "a", rows)
    (path / "test.json").write_text(json.dumps(run_folders.result(weights="ema")))
    (path / "test_raw.json").write_text(json.dumps(run_folders.result()))
    (run,) = read(path)
    lines = {str(row[0]): str(row[1]) for row in runs_table([run]).rows}
    assert lines["test top-1"].endswith("error 8.75 %; moving average")
    raw, average = lines["validation error, last"], lines["validation error of the moving average, last"]
    assert float(raw.split()[0]) - float(average.split()[0]) == pytest.approx(2.5)
    assert "validation error of the moving average, best" in lines
    evidence = evidence_table([run])
    assert evidence is not None
    assert next(row for row in evidence.rows if row[0] == "weights")[1:] == ("ema", "raw")
    assert "test top-1 of the moving average 91.25 %" in summary(run)


def test_configs_are_compared_key_by_key(tmp_path: Path) -> None:
    other = run_folders.config(precision="bf16-mixed")
    other["model"] = {"backbone": "plain20_cifar"}
    runs = read(write_run(tmp_path / "a"), write_run(tmp_path / "b", settings=other))
    table = config_differences(runs)
    assert table is not None
    assert [list(row) for row in table.rows] == [
        ["model.backbone.class_path", "resnet20_cifar", "plain20_cifar"],
        ["model.backbone.init_args.shortcut", "A", "not set"],
        ["trainer.precision", "not set", "bf16-mixed"],
    ]
    assert config_differences(runs[:1]) is None


def test_what_a_reader_must_know_is_noted(tmp_path: Path) -> None:
    rows = training_rows(6) + training_rows(8, first_epoch=4)
    path = write_run(tmp_path / "a", rows, tested=False)
    age(path / "metrics.csv", 7200)
    (path / "record.json").unlink()
    notes = run_notes(read(path)[0])
    assert any("has no record.json" in note for note in notes)
    assert any("resumed from an older checkpoint: 3 rows" in note for note in notes)
    (path / "status.json").write_text(json.dumps({"status": "diverged"}))
    assert run_notes(read(path)[0])[0].startswith(
        "a counts as a failed run: it diverged after 12 of 12 epochs"
    )
