"""What an encoder says of itself at a prompt and in a notebook."""

from typing import Protocol

from auricle.notebook import html_table


class Facts(Protocol):
    """What it is said of."""

    name: str

    @property
    def parameters_count(self) -> int: ...  # noqa: D102
    @property
    def sample_rate(self) -> int: ...  # noqa: D102
    @property
    def embedding_dim(self) -> int: ...  # noqa: D102
    @property
    def frame_dim(self) -> int: ...  # noqa: D102
    @property
    def frame_rate(self) -> float: ...  # noqa: D102
    @property
    def min_seconds(self) -> float: ...  # noqa: D102
    @property
    def front_end(self) -> str: ...  # noqa: D102
    @property
    def weights_fingerprint(self) -> str: ...  # noqa: D102


class Described:
    """Gives an encoder its words."""

    def __repr__(self: Facts) -> str:
        return (
            f"{type(self).__name__}({self.name!r}: {self.parameters_count:,} parameters, {self.sample_rate} Hz, "
            f"{self.embedding_dim} dimensions, a frame every {1000 / self.frame_rate:g} ms, "
            f"clips from {self.min_seconds:g} s)"
        )

    def _repr_html_(self: Facts) -> str:
        facts = {
            "parameters": f"{self.parameters_count:,}",
            "input": f"waveform, mono, {self.sample_rate:,} Hz; clips from {self.min_seconds:g} s",
            "front end": self.front_end,
            "embedding": f"{self.embedding_dim:,} dimensions",
            "frames": f"one every {1000 / self.frame_rate:g} ms, {self.frame_dim:,} dimensions",
            "weights": self.weights_fingerprint,
        }
        return html_table(facts.items(), caption=f"{type(self).__name__} {self.name}")
