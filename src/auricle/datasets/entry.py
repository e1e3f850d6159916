"""What is known of a dataset, and how its folder is found: the part that every dataset shares."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from auricle.datasets.windows import Windows
from auricle.errors import AuricleError
from auricle.manifest import Manifest, ManifestError

Domain = Literal["speech", "non-speech", "both"]
Kind = Literal["multi-class", "binary", "multi-label", "regression", "frames"]


class Loader(Protocol):
    """Reads a dataset's own layout.

    What is listed but not there is an error, unless there is a list `absent`, which is given the names of it.
    """

    def __call__(self, root: Path, *, absent: list[str] | None = None) -> Manifest:
        """The manifest of the dataset below `root`, the folder of all data, or of that in its own folder `root`."""
        ...


@dataclass(frozen=True)
class RemoteFile:
    """A part of a dataset that may be fetched over HTTP.

    Attributes
    ----------
    url : str
        Where it is.
    checksum : str, optional
        As published: ``md5:`` or ``sha256:`` and hexadecimal digits; None where nothing is published.
    size : int, optional
        Bytes, where published.
    unpack : bool
        Whether it is an archive to unpack.
    into : str
        Folder below the folder of all data that it, or what is in it, belongs to; empty for that folder itself.
    """

    url: str
    checksum: str | None = None
    size: int | None = None
    unpack: bool = True
    into: str = ""

    @property
    def name(self) -> str:
        """File name, the last part of the address."""
        return self.url.partition("?")[0].rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Published recordings: what is known of any dataset or corpus.

    Attributes
    ----------
    name : str
        Lower case, words joined by hyphens.
    title : str
        As its authors call it.
    domain : {"speech", "non-speech", "both"}
        What sounds in it.
    licence : str
        Of the recordings.
    citation : str
        The publication to cite.
    url : str
        Where it is described and downloaded.
    download : str
        How large it is, for the sentence that says that it is missing.
    marker : str
        File or folder, relative to the folder of all data, that shows that it is there; its first part is its own
        folder.
    """

    name: str
    title: str
    domain: Domain
    licence: str
    citation: str
    url: str
    download: str
    marker: str

    def folder(self, root: Path | str) -> Path:
        """Its own folder, below the folder of all data `root` or `root` itself.

        Raises
        ------
        AuricleError
            When it is not there; the sentence says what was expected, and where it comes from.
        """
        root = Path(root)
        own, *rest = Path(self.marker).parts
        for folder in (root / own, root):
            # A renamed folder is recognised by what is in it, but any folder may hold nothing more or a manifest.csv.
            if folder.joinpath(*rest).exists() and (folder.name == own or rest not in ([], ["manifest.csv"])):
                return folder
        raise AuricleError(
            f"{self.name}: expected {root / self.marker}; download from {self.url} ({self.download}, {self.licence})"
        )


_AnySource = TypeVar("_AnySource", bound=Source)


def by_name(
    name: str, entries: Mapping[str, _AnySource], *, kind: str, aliases: Mapping[str, str] | None = None
) -> _AnySource:
    """The entry of that name; upper case and underscores are as good as lower case and hyphens.

    Raises
    ------
    AuricleError
        When there is none of that name; it says which is nearest.
    """
    key = name.lower().replace("_", "-")
    key = (aliases or {}).get(key, key)
    if key in entries:
        return entries[key]
    near = difflib.get_close_matches(key, entries, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(entries)}"
    raise AuricleError(f"no {kind} named {name}; {hint}")


@dataclass(frozen=True, kw_only=True)
class DatasetEntry(Source):
    """A dataset that can be loaded by name.

    Attributes
    ----------
    kind : {"multi-class", "binary", "multi-label", "regression", "frames"}
        What is to be predicted: one of several classes (column ``label``), yes or no (``label``), any of several labels
        (``labels``) or a number (``target``) of a clip; or what sounds when in a recording, whose annotated segments
        are the rows (``label``): what no row covers is not annotated and not scored.
    positive : str, optional
        The label that means yes, where the kind is binary; the label to detect, where it is frames.
    metric : str
        What the field reports.
    classes : int
        Number of labels, as published; 0 where a number is predicted.
    labels : tuple of str
        The labels themselves, where they are published and few.
    class_noun, counted : str
        What the classes are called in the name of a copy that is not the release, and the column whose values are
        counted there in place of the labels.
    unit_seconds : float
        Length of a clip, typical where it varies.
    clips : int
        Number of clips as published, of annotated segments for AVA-Speech.
    counts : Mapping
        Published number of clips by split (``train``) or fold (``fold 1``), or of what `class_noun` and `counted` say
        (``films``), which then counts in place of the clips; empty where nothing is published.
    hours : float, optional
        Of sound in all clips: as published, else their number times their typical length.
    files : tuple of RemoteFile
        What may be fetched over HTTP.
    split_list : str
        File in the dataset's own folder that holds the split of published scores, where it may not be passed on:
        without it the split is ours, and a copy is not the release.
    windows : Windows, optional
        How clips are cut from the rows of the manifest, where the task is one of short excerpts.
    load : Loader
        Folder of all data (or the dataset's own) → manifest, with ``split`` or ``fold`` as officially given.
    valid_folds, test_folds : tuple of int
        Folds that the study of Ogg (2025) selects and scores on, where the official protocol is cross-validation.
    exceptions : str
        What crosses the official split although it should not.
    """

    kind: Kind = "multi-class"
    positive: str | None = None
    metric: str = "accuracy"
    classes: int
    unit_seconds: float
    clips: int
    labels: tuple[str, ...] = ()
    class_noun: str = "classes"
    counted: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict, hash=False)
    hours: float | None = None
    files: tuple[RemoteFile, ...] = ()
    split_list: str = ""
    windows: Windows | None = None
    load: Loader
    valid_folds: tuple[int, ...] = ()
    test_folds: tuple[int, ...] = ()
    exceptions: str = ""

    def study_split(self, manifest: Manifest) -> Manifest:
        """The manifest with a ``split`` in place of its folds, as the study of Ogg (2025) divides it.

        A manifest that has official splits comes back as it is.

        Raises
        ------
        ManifestError
            When the study says nothing of this dataset.
        """
        if manifest.has("split"):
            return manifest
        if not self.test_folds:
            raise ManifestError(f"{self.name} has no split in the study: evaluate it over its folds")
        names = dict.fromkeys(self.valid_folds, "valid") | dict.fromkeys(self.test_folds, "test")
        splits = [names.get(fold, "train") for fold in manifest.column("fold")]
        return Manifest(manifest.table.drop_columns(["fold"]), manifest.root, manifest.source).with_column(
            "split", splits
        )
