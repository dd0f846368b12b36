"""Where things are kept that can be made again. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(kind: str) -> Path:
    """The folder for one kind of things in the user's cache: ``$XDG_CACHE_HOME/resnet-zoo/<kind>``, or the same below
    ``~/.cache``. It need not exist.
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "resnet-zoo" / kind
