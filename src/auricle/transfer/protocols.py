"""How tasks are scored, under names that results carry.

A protocol is named only when it was followed: a result that was made with other settings says which.
"""

import dataclasses
from dataclasses import dataclass

from auricle.errors import AuricleError
from auricle.transfer.probe import ProbeSettings


@dataclass(frozen=True)
class Protocol:
    """A way to train and score a probe.

    Attributes
    ----------
    name : str
    settings : ProbeSettings
    source : str
        Where it comes from and what in it is our choice.
    """

    name: str
    settings: ProbeSettings
    source: str

    def label(self, settings: ProbeSettings) -> str:
        """The name, followed by every setting in which `settings` depart from the protocol."""
        changes = [
            f"{field.name}={getattr(settings, field.name)}"
            for field in dataclasses.fields(settings)
            if getattr(settings, field.name) != getattr(self.settings, field.name)
        ]
        return f"{self.name} ({', '.join(changes)})" if changes else self.name


PROTOCOLS = {
    "ogg2025": Protocol(
        name="ogg2025",
        settings=ProbeSettings(),
        source=(
            "Ogg 2025 (arXiv 2502.02366), transfer learning. Not stated there and chosen here: batch size 64, class "
            "weights n / (C n_c), learning rate times 0.1 on a plateau, no standardisation, three seeds, all folds "
            "tested in turn with their predictions pooled."
        ),
    )
}


def protocol(name: str) -> Protocol:
    """The protocol of that name.

    Raises
    ------
    AuricleError
        When there is none.
    """
    if name not in PROTOCOLS:
        raise AuricleError(f"there is no protocol {name!r}; choose {' or '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
