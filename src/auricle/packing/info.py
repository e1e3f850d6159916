"""The description of a pack, ``pack.json``: what was packed, by which job, and whether all of it is there."""

import json
from typing import Any

from auricle.packing.layout import FORMAT, INFO, VERSION, PackError
from auricle.packing.store import Store


def read_info(store: Store) -> dict[str, Any] | None:
    """What ``pack.json`` says; None where there is none.

    Raises
    ------
    PackError
        When it is damaged, or of a later version.
    """
    try:
        content = store.read(INFO)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        info: dict[str, Any] = json.loads(content)
        if info["format"] != FORMAT or not isinstance(info["complete"], bool):
            raise ValueError
        version = int(info["version"])
    except (ValueError, KeyError, TypeError):
        raise PackError(f"{store.location}/{INFO} is damaged; delete {store.location} and pack again") from None
    if version > VERSION:
        raise PackError(f"{store.location} was packed by a later version of auricle; install that version")
    return info
