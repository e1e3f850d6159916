"""Where a pack lies: a folder of this machine, or a folder of an object store, by its URL.

Files are only ever put there whole, so nobody sees half of one. Reading a part of a file is one request.
"""

import contextlib
import functools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol

from auricle.errors import AuricleError
from auricle.files import atomic_write, refused_writes_are_errors
from auricle.packing.layout import INFO

OPEN_FILES = 256  # that are kept open for reading, at most


class Store(Protocol):
    """A folder of files by their names, which may have slashes in them."""

    location: str

    def exists(self) -> bool:
        """Whether there is such a folder."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Put a small file there."""
        ...

    def take(self, name: str, file: Path) -> None:
        """Move a file of this machine there."""
        ...

    def give_back(self, name: str, file: Path) -> None:
        """Undo `take` where it cost nothing; nothing happens where it did, or when `name` is not there."""
        ...

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
        """A file's bytes from `start` to before `stop`; FileNotFoundError when it is not there."""
        ...

    def fetch(self, name: str, work: Path) -> Path:
        """A file of this machine with the content of `name`; a copy below `work` where there is none."""
        ...

    def sizes(self, folder: str) -> dict[str, int]:
        """Names in a folder, with their sizes in bytes."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file or a folder, if it is there."""
        ...


def store_of(location: str | Path) -> Store:
    """The store at a path or a URL.

    Raises
    ------
    AuricleError
        When nothing knows the URL, or the package that does is not installed.
    """
    if "://" not in str(location):
        return LocalStore(Path(location))
    import fsspec

    try:
        system, root = fsspec.core.url_to_fs(str(location))
    except ImportError as error:
        raise AuricleError(
            f"{location} cannot be opened: {error} (`pip install s3fs` for s3://, `gcsfs` for gs://, `adlfs` for az://)"
        ) from error
    except ValueError as error:
        raise AuricleError(f"{location} cannot be opened: {error}") from error
    return RemoteStore(system, root, str(location))


class LocalStore:
    """A folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.location = folder, str(folder)
        self._opened = functools.lru_cache(OPEN_FILES)(self._open)

    def exists(self) -> bool:
        """Whether there is such a folder."""
        return self.folder.is_dir()

    def _open(self, name: str) -> IO[bytes]:
        return (self.folder / name).open("rb", buffering=0)  # closed when nobody reads it any more

    def write(self, name: str, content: bytes) -> None:
        """Put a small file there."""
        with atomic_write(self.folder / name) as temporary:
            temporary.write_bytes(content)

    def take(self, name: str, file: Path) -> None:
        """Move a file of this machine there."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        file.replace(self.folder / name)

    def give_back(self, name: str, file: Path) -> None:
        """Move a file back."""
        with contextlib.suppress(FileNotFoundError):
            (self.folder / name).replace(file)

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
        """A file's bytes from `start` to before `stop`.

        Not a memory map: of a shard that is cut short or on a disk that fails, a read says so, while a map ends the
        process by a signal; and pages of a map count as the process's memory, whatever reads them.
        """
        if stop is None or not hasattr(os, "pread"):
            with (self.folder / name).open("rb") as file:
                file.seek(start)
                return file.read() if stop is None else file.read(stop - start)
        return os.pread(self._opened(name).fileno(), stop - start, start)

    def fetch(self, name: str, work: Path) -> Path:  # noqa: ARG002 (a remote store needs it)
        """The file itself."""
        return self.folder / name

    def sizes(self, folder: str) -> dict[str, int]:
        """Names in a folder, with their sizes in bytes."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self.folder / folder) as entries:
            return {f"{folder}/{entry.name}": entry.stat().st_size for entry in entries if entry.name[0] != "."}
        return {}

    def remove(self, name: str) -> None:
        """Remove a file or a folder, if it is there."""
        path = self.folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


class RemoteStore:
    """A folder of an object store, through fsspec."""

    def __init__(self, system: Any, root: str, location: str) -> None:
        self._system, self._root, self.location = system, root.rstrip("/"), location.rstrip("/")

    def exists(self) -> bool:
        """Whether there is anything below that name."""
        with self._said("look for", INFO):
            return bool(self._system.exists(self._root))

    @contextlib.contextmanager
    def _said(self, what: str, name: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, AuricleError):
            raise
        except Exception as error:  # every store has errors of its own
            raise AuricleError(f"cannot {what} {self.location}/{name}: {error or type(error).__name__}") from error

    def write(self, name: str, content: bytes) -> None:
        """Put a small file there."""
        with self._said("write", name):
            self._make_parents(name)
            self._system.pipe_file(f"{self._root}/{name}", content)

    def take(self, name: str, file: Path) -> None:
        """Move a file of this machine there."""
        with self._said("write", name):
            self._make_parents(name)
            self._system.put_file(str(file), f"{self._root}/{name}")
        file.unlink()

    def give_back(self, name: str, file: Path) -> None:
        """What was sent is not fetched back."""

    def _make_parents(self, name: str) -> None:
        with contextlib.suppress(NotImplementedError):  # object stores have no folders
            self._system.makedirs(f"{self._root}/{name}".rpartition("/")[0], exist_ok=True)

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
        """A file's bytes from `start` to before `stop`."""
        with self._said("read", name):
            content: bytes = self._system.cat_file(f"{self._root}/{name}", start=start, end=stop)
            return content

    def fetch(self, name: str, work: Path) -> Path:
        """A copy below `work`."""
        file = work / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with self._said("read", name), refused_writes_are_errors(file):
            self._system.get_file(f"{self._root}/{name}", str(file))
        return file

    def sizes(self, folder: str) -> dict[str, int]:
        """Names in a folder, with their sizes in bytes."""
        with self._said("list", folder), contextlib.suppress(FileNotFoundError):
            self._system.invalidate_cache()
            entries = self._system.ls(f"{self._root}/{folder}", detail=True)
            files = [entry for entry in entries if entry["type"] == "file"]
            return {f"{folder}/{entry['name'].rpartition('/')[2]}": int(entry["size"]) for entry in files}
        return {}

    def remove(self, name: str) -> None:
        """Remove a file or a folder, if it is there."""
        with self._said("remove", name), contextlib.suppress(FileNotFoundError):
            self._system.rm(f"{self._root}/{name}", recursive=True)
