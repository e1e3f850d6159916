"""Numbers and lists as a sentence says them."""

from collections.abc import Iterable


def counted(count: int, noun: str) -> str:
    """A number of things, for instance ``1 task`` or ``1,000 clips``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(words: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``; ``none`` when there is nothing."""
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"
