"""What an encoder's configuration is, and how it stays the same encoder when configurations get new fields."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from auricle.errors import AuricleError

LATER = {"later": True}
"""Metadata of a field that configurations did not always have; its default is what encoders did before it came."""


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Everything but weights and normalisation statistics that decides what an encoder computes."""

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values, for JSON."""
        return asdict(self)

    def identity(self) -> dict[str, Any]:
        """What fingerprints are made of: fields that came `LATER` count where they are not at their default."""
        held = self.to_dict()
        unused = {item.name for item in fields(self) if item.metadata == LATER and held[item.name] == item.default}
        return {name: value for name, value in held.items() if name not in unused}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The configuration that :meth:`to_dict` wrote; an unknown key is an :class:`AuricleError`."""
        known = [item.name for item in fields(cls)]
        for key in values:
            if key not in known:
                raise AuricleError(f"encoder configuration: unknown key {key!r} (known: {', '.join(known)})")
        return cls(**values)
