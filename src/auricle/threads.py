"""How threads wait for each other, decided before torch is imported, for OpenMP reads it once.

By default they spin for milliseconds, which slows a machine that is shared with anything else down by up to twenty
times; asleep at once, they must be woken for each of a training step's thousand small operations, which costs a tenth
of it. So they spin for some microseconds and then sleep.
"""

import os

_SETTINGS = {
    "OMP_WAIT_POLICY": "passive",
    "GOMP_SPINCOUNT": "10000",  # turns of GNU's loop, tens of microseconds; other libraries know the policy alone
}


def wait_politely() -> None:
    """Set what the user's environment leaves open; without effect on a process that has imported torch."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
