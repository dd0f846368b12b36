"""Packages with backbones that a test installs for itself: a module and the metadata that an installer would write."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

NET = '''
from torch import nn

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.num_features = width
        self.stem = nn.Conv2d(3, width, 3, padding=1)

    def forward(self, images):
        return self.stem(images).mean((2, 3))

def {name}(*, width: int = 4) -> Net:
    """A small net (arXiv:1234.56789)."""
    return Net(width)
'''


class SitePackages:
    """A folder on ``sys.path`` for as long as a test runs."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._monkeypatch = monkeypatch

    def install(self, package: str, version: str, module: str, source: str, **entry_points: str) -> None:
        """Put a package where Python finds it.

        Args:
            package: the distribution's name.
            version: its version.
            module: the name of its only module.
            source: the module's code.
            entry_points: the backbones that it offers, name and ``module:function``.
        """
        (self.folder / f"{module}.py").write_text(source)
        metadata = self.folder / f"{package.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        lines = [f"{name} = {target}" for name, target in entry_points.items()]
        (metadata / "entry_points.txt").write_text("\n".join(["[resnet_zoo.backbones]", *lines, ""]))
        self._monkeypatch.delitem(sys.modules, module, raising=False)
        # Metadata is read anew when the path changes, and a second entry of the same folder is a change.
        self._monkeypatch.syspath_prepend(str(self.folder))

    def install_net(self, package: str, version: str, name: str) -> None:
        """Install a package that offers one working backbone."""
        module = f"{package.replace('-', '_')}_nets"
        self.install(package, version, module, NET.format(name=name), **{name: f"{module}:{name}"})
