"""The twelve corpora of Ogg (2025), Table I, by name."""

from auricle.corpora import (
    ami,
    audioset,
    chime5,
    common_voice,
    freefield1010,
    fsd,
    librispeech,
    musan,
    sonyc_ust,
    ted_lium,
    voxceleb,
    wham,
)
from auricle.corpora.entry import CorpusEntry
from auricle.datasets.entry import by_name

_MODULES = (
    *(freefield1010, wham, sonyc_ust, musan, fsd, audioset),
    *(ted_lium, librispeech, chime5, voxceleb, common_voice, ami),
)
_entries: dict[str, CorpusEntry] = {module.ENTRY.name: module.ENTRY for module in _MODULES}


def list_corpora() -> list[str]:
    """Names of all corpora, in the order of the table."""
    return list(_entries)


def corpus(name: str) -> CorpusEntry:
    """The entry of a corpus; upper case and underscores are as good as lower case and hyphens.

    Raises
    ------
    AuricleError
        When there is none of that name; it says which is nearest.
    """
    return by_name(name, _entries, kind="corpus")
