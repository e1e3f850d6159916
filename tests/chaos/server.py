"""A process that has imported Auricle and runs its commands in forks of itself, so that a start costs no seconds.

A line of JSON asks for one thing: to start a command (arguments, folder for what it prints, values to put into modules
first), or how a started one is doing. A fork is a process like any other: it can be killed, stopped and waited for.
"""

import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from auricle.threads import wait_politely

wait_politely()

IMPORTED_BY_COMMANDS = (
    "auricle.packing.run",
    "auricle.packing.sources",
    "auricle.cli.packing_bar",
    "auricle.integrations.loggers",
    "auricle.pretraining.run",
    "auricle.embedding.bulk",
    "auricle.transfer.run",
    "auricle.study.run",
    "auricle.progress",
)


def run(request: dict[str, Any]) -> int:
    """In the fork: the exit status of a command."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(Path(request["folder"], name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for place, value in request["patches"].items():
        module, _, name = place.rpartition(".")
        setattr(importlib.import_module(module), name, value)
    sys.argv = ["auricle", *request["arguments"]]
    try:
        sys.modules["auricle.cli"].main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 70
    return 0


def main() -> None:
    for name in ("auricle.cli", *IMPORTED_BY_COMMANDS):
        importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    print("ready", file=answers)
    while line := sys.stdin.readline():
        request = json.loads(line)
        if "arguments" in request:
            process = os.fork()
            if not process:
                status = run(request)
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
            print(process, file=answers)
        else:
            process, status = os.waitpid(request["wait"], os.WNOHANG)
            print(json.dumps(os.waitstatus_to_exitcode(status) if process else None), file=answers)


if __name__ == "__main__":
    main()
