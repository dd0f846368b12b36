"""Figures, tables and pages from run directories and experiments. Imports neither torch nor Lightning.

Data classes: ``resnet_zoo.report.figures``. ``draw(figure, folder)`` writes PNG and SVG,
``write_experiment_html(reports, path)`` one self-contained page, ``claims_json(reports)`` the ledger.
"""

from resnet_zoo.report.claims import claims_json
from resnet_zoo.report.drawing import draw
from resnet_zoo.report.experiment_page import write_experiment_html
from resnet_zoo.report.figures import (
    BarFigure,
    BarGroup,
    Claim,
    ExperimentReport,
    Figure,
    LineFigure,
    Mark,
    Series,
    Table,
)

__all__ = [
    "BarFigure",
    "BarGroup",
    "Claim",
    "ExperimentReport",
    "Figure",
    "LineFigure",
    "Mark",
    "Series",
    "Table",
    "claims_json",
    "draw",
    "write_experiment_html",
]
