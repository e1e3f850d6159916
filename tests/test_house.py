"""Arrows go down only: no module imports a room above its own, nor a wing its neighbour (CONTRIBUTING, the house)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import auricle

SOURCE = Path(auricle.__file__).parent

# From the cellar to the roof; what stands together may import each other, wings may not.
ROOMS = [
    {"errors", "threads", "words"},
    {"settings", "files", "randomness", "notebook"},
    {
        "audio",
        "decoding",
        "opus",
        "mel",
        "manifest",
        "manifest_format",
        "inputs",
        "fetching",
        "archives",
        "clips",
        "crops",
    },
    {"datasets", "corpora", "models", "neighbours", "alignment", "synth", "synthesis"},
    {
        "training",
        "processes",
        "run_folder",
        "embedding",
        "reading",
        "results",
        "comparisons",
        "score_tables",
        "score_formats",
        "terminal",
        "stages",
        "near_duplicates",
        "packing",
        "work_events",
        "report",
        "projection",
    },
    {"pretraining", "transfer", "explain", "explore"},
    {"finetuning", "study"},
    {"integrations", "hear"},
    {"progress"},
    {"cli", "__main__"},
]
WINGS = {"pretraining", "transfer", "explain", "explore"}
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}


def imports() -> Iterator[tuple[str, str, str]]:
    """(importing module, its room, imported room) of every import of Auricle's own, also those inside functions."""
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        room = parts[0]
        if room == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module == "auricle":
                names = [f"auricle.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in names:
                if name.startswith("auricle.") and name.split(".")[1] != "__version__":
                    yield "/".join(parts), room, name.split(".")[1]


def test_every_module_has_its_room() -> None:
    found = {path.relative_to(SOURCE).with_suffix("").parts[0] for path in SOURCE.rglob("*.py")} - {"__init__"}
    assert found <= LEVEL.keys(), f"give {', '.join(sorted(found - LEVEL.keys()))} a room"


def test_arrows_go_down() -> None:
    wrong = [f"{module} → {target}" for module, room, target in imports() if LEVEL[target] > LEVEL[room]]
    assert not wrong


def test_wings_do_not_import_each_other() -> None:
    wrong = [f"{module} → {target}" for module, room, target in imports() if {room, target} <= WINGS and room != target]
    assert not wrong
