"""One self-contained HTML file: no script, no network, everything inside. Standard library only.

Everything that is text stays text: whatever comes from a file is escaped, and no mark-up is taken from it.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources

from resnet_zoo import __version__
from resnet_zoo.report.figures import Cell, Figure, Table
from resnet_zoo.report.numbers import written

_GENERATOR = '<meta name="generator" content="resnet-zoo">'


def is_page(text: str) -> bool:
    """Whether a file's text is a page of ours, which may be replaced by a newer one."""
    return _GENERATOR in text[:1000]


def page(title: str, body: str) -> str:
    """A whole document.

    Args:
        title: plain text of the heading.
        body: HTML of what comes under it.
    """
    style = resources.files("resnet_zoo.report").joinpath("page.css").read_text(encoding="utf-8")
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n{_GENERATOR}\n'
        f"<title>{escaped(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escaped(title)}</h1>\n{body}\n"
        f"<footer>Written by resnet-zoo {escaped(__version__)}, {now}.</footer>\n</main>\n</body>\n</html>\n"
    )


def escaped(text: str) -> str:
    """Text for HTML, in elements as well as in attributes; control characters, which HTML forbids, become a mark."""
    return html.escape(
        re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "\N{REPLACEMENT CHARACTER}", text), quote=True
    )


def anchor(name: str) -> str:
    """The id that links to a part of the page."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower() or "part"


def paragraphs(text: str, kind: str = "") -> str:
    """Plain text whose empty lines separate paragraphs."""
    attribute = f' class="{kind}"' if kind else ""
    parts = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    return "\n".join(f"<p{attribute}>{escaped(part)}</p>" for part in parts)


def figure_html(figure: Figure, svg: str) -> str:
    """A figure with its caption; the drawing is an image, so that nothing in it can reach the page."""
    data = base64.b64encode(svg.encode()).decode()
    caption = f"\n<figcaption>{escaped(figure.caption)}</figcaption>" if figure.caption else ""
    return (
        "<figure>\n"
        f'<img src="data:image/svg+xml;base64,{data}" alt="{escaped(figure.title)}">{caption}\n</figure>'
    )


def table_html(table: Table) -> str:
    """A table that scrolls sideways by itself where the screen is narrow; its first column heads the rows."""
    numeric = [_is_numeric([row[column] for row in table.rows]) for column in range(len(table.columns))]
    head = "".join(
        f'<th scope="col"{_kind(right)}>{escaped(name)}</th>'
        for name, right in zip(table.columns, numeric, strict=True)
    )
    rows = "\n".join(f"<tr>{_cells(row, numeric)}</tr>" for row in table.rows)
    title = f"<h3>{escaped(table.title)}</h3>\n" if table.title else ""
    caption = f'\n<p class="caption">{escaped(table.caption)}</p>' if table.caption else ""
    return (
        f'{title}<div class="scroll" tabindex="0">\n<table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table>\n</div>{caption}"
    )


def _cells(row: Sequence[Cell], numeric: Sequence[bool]) -> str:
    cells = []
    for column, (value, right) in enumerate(zip(row, numeric, strict=True)):
        text = escaped(written(value))
        if column == 0:
            text = re.sub(r"([._/])", r"\1<wbr>", text)  # where a long key or path may go on in the next line
            cells.append(f'<th scope="row"{_kind(right)}>{text}</th>')
        else:
            cells.append(f"<td{_kind(right)}>{text}</td>")
    return "".join(cells)


def _is_numeric(values: list[Cell]) -> bool:
    """Whether a column holds numbers, some of which may be missing."""
    present = [value for value in values if value is not None]
    return bool(present) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in present
    )


def _kind(right: bool) -> str:
    return ' class="number"' if right else ""
