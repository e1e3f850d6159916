"""Where model files that Auricle does not download are looked for: a folder of the user's, then the cache.

The environment variable ``AURICLE_MODELS`` names the first, ``AURICLE_CACHE`` the second (by default
``~/.cache/auricle``).
"""

import os
from pathlib import Path


def folders() -> list[Path]:
    """The folders to look in, in this order."""
    own = os.environ.get("AURICLE_MODELS")
    return [*([Path(own).expanduser()] if own else []), cache()]


def cache() -> Path:
    """The cache."""
    return Path(os.environ.get("AURICLE_CACHE") or "~/.cache/auricle").expanduser()


def find(*names: str) -> Path | None:
    """The first of some files or folders that is there; each place is searched for all names before the next."""
    return next((folder / name for folder in folders() for name in names if (folder / name).exists()), None)
