"""What a command is given to work on, audio files, folders and manifests in any mixture, as one manifest."""

import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from auricle import audio
from auricle.errors import AuricleError
from auricle.manifest import Manifest

MANIFEST_SUFFIXES = (".csv", ".parquet")


def manifest_of(inputs: Sequence[Path | str]) -> Manifest:
    """One manifest of audio files, folders (all audio below them) and manifests.

    Several inputs are joined in their order; paths then start from the folder that all have in common, and a column
    that an input lacks is null there.

    Raises
    ------
    AuricleError
        When an input does not exist or is none of these, or when two of them hold the same clip.
    """
    manifests = [_manifest_of_one(Path(entry)) for entry in inputs]
    if not manifests:
        raise AuricleError("no input: give audio files, folders or manifests")
    return joined(manifests, source=" + ".join(str(entry) for entry in inputs))


def joined(manifests: Sequence[Manifest], *, source: str) -> Manifest:
    """Several manifests as one, in their order, as :func:`manifest_of` joins them; a single one as it is.

    Raises
    ------
    AuricleError
        When two of them hold the same clip, or a column of one name has another type in each.
    """
    if len(manifests) == 1:
        return manifests[0]
    roots = [manifest.root.resolve() for manifest in manifests]
    common = Path(os.path.commonpath(roots))
    tables = []
    for manifest, root in zip(manifests, roots, strict=True):
        inside = root.relative_to(common)
        paths = [(inside / path).as_posix() for path in manifest.column("path")]
        tables.append(manifest.with_column("path", paths).table)
    try:
        table = pa.concat_tables(tables, promote_options="default")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise AuricleError(f"the manifests do not fit together: {str(error).splitlines()[0]}") from error
    return Manifest(table, common, source).validate()


def _manifest_of_one(path: Path) -> Manifest:
    if path.is_dir():
        return Manifest.from_folder(path)
    if path.suffix.lower() in MANIFEST_SUFFIXES:
        return Manifest.read(path)
    if not path.exists():
        raise AuricleError(f"{path} does not exist: expected an audio file, a folder or a manifest (.csv, .parquet)")
    if path.suffix.lower() not in audio.EXTENSIONS:
        raise AuricleError(f"{path} is neither a manifest (.csv, .parquet) nor audio ({' '.join(audio.EXTENSIONS)})")
    return Manifest.from_rows([{"path": path.name}], root=path.parent, source=str(path))
