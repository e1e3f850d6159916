"""Downloading what may be fetched over HTTP of a dataset: fetch, check, unpack, each file once.

Files are fetched and unpacked one after the other, and an archive is deleted when it is unpacked, so that the disk
needs little more than the dataset itself. What is finished is noted in ``ROOT/.auricle-downloads``: the same
command goes on where an earlier one was stopped, and does nothing when all is there.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from auricle.archives import archive_of, unpack
from auricle.datasets.entry import DatasetEntry, RemoteFile
from auricle.errors import AuricleError, Interrupted
from auricle.fetching import PATIENCE, FetchProgress, Patience, fetch, size_of
from auricle.files import FolderLock, atomic_write, refuse_small_disk

DOWNLOADS = ".auricle-downloads"  # below the folder of all data


@dataclass(frozen=True)
class Unpacking:
    """How far an archive is: bytes unpacked, and the bytes that it has itself, mostly somewhat fewer in the end."""

    name: str
    done: int
    size: int


@dataclass(frozen=True)
class Downloaded:
    """What a download did.

    Attributes
    ----------
    folder
        Folder of all data.
    fetched
        Names of the files that were fetched.
    known
        Names of the files that had been fetched before.
    """

    folder: Path
    fetched: tuple[str, ...]
    known: tuple[str, ...]


def download(
    entry: DatasetEntry,
    root: Path | str,
    *,
    patience: Patience = PATIENCE,
    report: Callable[[FetchProgress | Unpacking], None] | None = None,
) -> Downloaded:
    """Fetch and unpack a dataset, or what of it is not there yet.

    Parameters
    ----------
    entry
        The dataset.
    root
        Folder of all data, or the dataset's own folder in it; it is created when missing.
    patience
        How long a server that fails is borne.
    report
        Is told of bytes as they come.

    Raises
    ------
    AuricleError
        When the dataset cannot be fetched over HTTP, the disk is too small, another process is downloading it, or one
        of its files cannot be had or is not what was published. What has come is kept.
    Interrupted
        On Ctrl-C; what has come is kept.
    """
    root = Path(root)
    own = PurePosixPath(entry.marker).parts[0]
    if root.name == own:
        root = root.parent
    if not entry.files:
        raise AuricleError(
            f"{entry.name} cannot be fetched over HTTP: get it from {entry.url} ({entry.download}, {entry.licence}) "
            f"and put it so that there is {root / entry.marker}"
        )
    work = root / DOWNLOADS / own  # tasks over one dataset share it
    try:
        with FolderLock(work):
            fetched, known = [], []
            groups = _groups(entry.files)
            missing = [group for group in groups if not _is_done(group, root, work)]
            _refuse_small_disk(missing, root, work, patience)
            for group in groups:
                names = [file.name for file in group]
                if group not in missing:
                    _delete([work / name for name in names])  # if the process that unpacked them was killed
                    known += names
                    continue
                _fetch_group(group, root, work, patience=patience, report=report)
                fetched += names
            return Downloaded(root, tuple(fetched), tuple(known))
    except PermissionError as error:
        raise AuricleError(f"cannot write to {error.filename or work}: permission denied") from error
    except Interrupted:
        raise
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; what has come of {entry.name} is kept, the same command goes on") from None


def _groups(files: Sequence[RemoteFile]) -> list[list[RemoteFile]]:
    """Files that are unpacked together: the parts of an archive in order; every other file by itself."""
    groups: dict[str, list[RemoteFile]] = {}
    for file in files:
        groups.setdefault(archive_of(file.name), []).append(file)
    for group in groups.values():
        group.sort(key=lambda part: (part.name.lower().endswith(".zip"), part.name))  # it ends a split zip
    return list(groups.values())


def _fetch_group(
    group: Sequence[RemoteFile],
    root: Path,
    work: Path,
    *,
    patience: Patience,
    report: Callable[[FetchProgress | Unpacking], None] | None,
) -> None:
    last = group[-1]
    target = root / last.into
    # A file that stays as it is comes to its place in one step; an archive waits beside for being unpacked.
    paths = [(work if last.unpack else target) / file.name for file in group]
    for file, path in zip(group, paths, strict=True):
        fetch(file.url, path, checksum=file.checksum, size=file.size, patience=patience, report=report)
    made = [path.name for path in paths]
    if last.unpack:
        size = sum(path.stat().st_size for path in paths)

        def unpacked(count: int) -> None:
            if report is not None:
                report(Unpacking(archive_of(last.name), count, size))

        made = unpack(paths[-1], target, parts=paths[:-1], report=unpacked)
    with atomic_write(_note(last, work)) as temporary:
        note = {"url": last.url, "checksum": last.checksum, "into": last.into, "made": made}
        temporary.write_text(json.dumps(note, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if last.unpack:
        _delete(paths)


def _delete(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _note(file: RemoteFile, work: Path) -> Path:
    return work / f"{file.name}.done.json"


def _is_done(group: Sequence[RemoteFile], root: Path, work: Path) -> bool:
    last = group[-1]
    try:
        note = json.loads(_note(last, work).read_text(encoding="utf-8"))
        is_same = (note["url"], note["checksum"], note["into"]) == (last.url, last.checksum, last.into)
        return is_same and all((root / last.into / name).exists() for name in note["made"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False


def _refuse_small_disk(missing: Sequence[Sequence[RemoteFile]], root: Path, work: Path, patience: Patience) -> None:
    """Refuse before the first byte what cannot fit: all that stays, and for a time the largest archive beside it."""
    staying, largest = 0, 0
    for group in missing:
        sizes = [size_of(file.url, patience=patience) if file.size is None else file.size for file in group]
        size = sum(size or 0 for size in sizes)
        here = sum(_here(work / file.name) for file in group)
        staying += size
        largest = max(largest, size - here if group[-1].unpack else 0)
    refuse_small_disk(root, staying + largest, "this download")


def _here(path: Path) -> int:
    """Bytes of a file that have come already."""
    found = [place for place in (path, path.with_name(f"{path.name}.part")) if place.is_file()]
    return found[0].stat().st_size if found else 0
