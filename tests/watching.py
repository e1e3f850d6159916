"""What another process does, as the kernel tells it: how long it has worked, and whether it waits for something."""

from pathlib import Path


def _fields(process: int) -> list[str]:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def processor_seconds(process: int) -> float:
    """Of work that a process has done; 0 when it is gone."""
    fields = _fields(process)
    return (int(fields[11]) + int(fields[12])) / 100 if fields else 0.0


def is_asleep(process: int) -> bool:
    """Whether it waits for something; not whether it waits for its turn, or was stopped by somebody."""
    fields = _fields(process)
    return bool(fields) and fields[0] in "SD"
