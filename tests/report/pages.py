"""What every page must be."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "img", "wbr", "br", "link", "input", "hr"}


class _Nesting(HTMLParser):
    """Follows the elements, and notes what would run or load something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base", "form")
        for name, value in attrs:
            assert not name.startswith("on"), name
            if name == "src":
                assert (value or "").startswith("data:image/svg+xml;base64,")
            if name == "href":
                assert (value or "").startswith("#")
                self.targets.append((value or "")[1:])
            if name == "id":
                self.ids.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag


def check_page(path: Path) -> str:
    """Check that a page is well-formed and self-contained, and return its text."""
    text = path.read_text(encoding="utf-8")
    parser = _Nesting()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    assert set(parser.targets) <= set(parser.ids)
    assert not re.search(r"@import|url\(|https?://", text)
    assert '<meta name="viewport"' in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    return text
