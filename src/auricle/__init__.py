"""Auricle: self-supervised, general-purpose audio representations.

Pre-train an encoder on unlabelled recordings, embed sound with it, measure by transfer what the embeddings are good
for, and explain what the encoder hears. ``auricle.load(name).embed("dog.wav")`` is the shortest way in.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from auricle.models.registry import list_models, load

__all__ = ["__version__", "list_models", "load"]


def __getattr__(name: str) -> Any:
    # Importing torch takes a second; `auricle --help` and `auricle.__version__` should not pay for it.
    if name in ("list_models", "load"):
        from auricle.models import registry

        return getattr(registry, name)
    raise AttributeError(f"module 'auricle' has no attribute {name!r}")
