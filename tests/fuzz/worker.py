"""A process that is given files, one after the other, and says of each what Auricle makes of it.

It runs with little memory, so that a blow-up is an error here and no trouble for the machine. A line of JSON goes in
(kind, path, seed), a line comes out: ``heard``, ``refused``, or ``WRONG`` with what was wrong.
"""

import contextlib
import json
import os
import random
import resource
import sys
import traceback
from pathlib import Path

MOST_SECONDS = 48 * 3600.0  # of sound in a small file: FLAC keeps a day of silence in some hundred kilobytes
SPARE_MEMORY = 1 << 30  # bytes beyond what a process needs that has heard something


class WrongError(Exception):
    """Auricle gave something that it must not give."""


def require(condition: bool, what: str) -> None:
    if not condition:
        raise WrongError(what)


def hear(path: Path, draw: random.Random) -> str:
    """Header, the whole in blocks, the whole at once where it is short, and excerpts."""
    import numpy as np

    from auricle import audio
    from auricle.decoding import MOST_FRAMES_PER_BYTE, AudioError

    def check(sound: np.ndarray, most: float) -> None:
        require(sound.dtype == np.float32 and sound.ndim == 1, f"sound of {sound.dtype}, {sound.ndim} axes")
        require(0 < len(sound) <= most, f"{len(sound)} samples where at most {most} were asked for")
        require(bool(np.isfinite(sound).all()), "sound that is not finite")

    def said(error: AudioError) -> None:
        require("\n" not in str(error) and str(error).startswith(str(path)), f"not one sentence: {error}")

    seconds, outcomes = 1.0, set()
    try:
        info = audio.info(path)
        require(info.channels > 0 and 100 <= info.sample_rate <= 10_000_000, f"nonsense: {info}")
        require(0 <= info.frames <= MOST_FRAMES_PER_BYTE * path.stat().st_size, f"nonsense: {info}")
        seconds = info.seconds
    except AudioError as error:
        said(error)
    rate = draw.choice((16_000, 16_000, 48_000, 8000))
    samples = 0
    try:
        for block in audio.stream(path, sample_rate=rate, block_seconds=10.0):
            check(block, 10 * rate)
            samples += len(block)
            require(samples <= MOST_SECONDS * rate, "sound without end")
        require(samples > 0, "neither sound nor an error")
        outcomes.add("heard")
    except AudioError as error:
        said(error)
        outcomes.add("refused")
    if samples <= 60 * rate:
        with contextlib.suppress(AudioError):
            whole = audio.read(path, sample_rate=rate)
            require(len(whole) == samples, f"{len(whole)} samples at once, {samples} in blocks")
    for _ in range(2):
        offset, duration = draw.uniform(0, seconds), draw.choice((0.01, 0.5, 3.0))
        with contextlib.suppress(AudioError):
            check(audio.read(path, sample_rate=rate, offset=offset, duration=duration), duration * rate + 1)
    return "heard" if "heard" in outcomes else "refused"


def list_clips(path: Path, draw: random.Random) -> str:
    """Read a manifest, look at it, and write it again."""
    from auricle.errors import AuricleError
    from auricle.manifest import Manifest

    try:
        manifest = Manifest.read(path)
    except AuricleError as error:
        require("\n" not in str(error), f"not one sentence: {error}")
        return "refused"
    require(len(manifest) > 0 and len(manifest.files) == len(manifest), "a manifest of nothing")
    require(len(manifest.fingerprint) == 64, "no fingerprint")
    copy = path.with_name(f"copy-of-{path.stem}.parquet")
    try:
        manifest.write(copy)
        require(Manifest.read(copy).fingerprint == manifest.fingerprint, "what was written is not what was read")
    finally:
        copy.unlink(missing_ok=True)
    return "heard"


KINDS = {"sound": hear, "manifest": list_clips}


def limit_memory() -> None:
    """Leave `SPARE_MEMORY` beyond what is in use by now."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE_MEMORY, resource.RLIM_INFINITY))


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)  # decoders complain there
    limited = False
    for line in sys.stdin:
        task = json.loads(line)
        try:
            verdict = KINDS[task["kind"]](Path(task["path"]), random.Random(task["seed"]))
        except Exception:
            verdict = f"WRONG {json.dumps(traceback.format_exc(limit=-6))}"
        print(verdict, file=answers)
        if not limited:
            limit_memory()
            limited = True


if __name__ == "__main__":
    main()
