"""What the tests of the commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from resnet_zoo.registry import registry
from tests.fake_plugins import SitePackages


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SitePackages:
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return SitePackages(tmp_path / "site-packages", monkeypatch)
