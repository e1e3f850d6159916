"""CHiME-5 and its release as CHiME-6 (Barker 2018): dinner parties; the training sessions, every microphone, cut.

The study counts 1,111.9 h of about 40 h of sessions, so channels count as recordings of their own. Each channel of the
six arrays is a file; with the pair of microphones that each of four people wears averaged, that makes 28.
"""

from pathlib import Path

from auricle.corpora.entry import CorpusEntry, training_clips
from auricle.datasets.recordings import audio_by_stem
from auricle.errors import AuricleError
from auricle.manifest import Manifest

_PART = "audio/train"


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """Every file of the training sessions, cut.

    Raises
    ------
    AuricleError
        When there are none.
    """
    folder = _folder(Path(root))
    paths = audio_by_stem(folder, within=[_PART]).values()
    return training_clips(paths, folder=folder, name=ENTRY.name, cut=True, absent=absent)


def _folder(root: Path) -> Path:
    """The folder of either release."""
    try:
        return ENTRY.folder(root)
    except AuricleError:
        for name in ("CHiME6", "CHiME6_train"):
            if (root / name / _PART).is_dir():
                return root / name
        raise


ENTRY = CorpusEntry(
    name="chime5",
    title="CHiME-5, CHiME-6",
    domain="speech",
    licence="CC BY-SA 4.0 (CHiME-6)",
    citation="J. Barker et al., The fifth CHiME Speech Separation and Recognition Challenge, Interspeech 2018",
    url="https://www.openslr.org/150",
    download="CHiME-6, the training part",
    marker=f"CHiME5/{_PART}",
    paper_hours=1111.9,
    paper_clips=400280,
    cut=True,
    channels="each channel of an array, each worn pair averaged",
    load=load,
)
