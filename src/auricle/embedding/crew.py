"""The encoders of a job on a Ray cluster: how many there is room for, who is idle, and who replaces a dead one."""

import time
from typing import Any

from auricle.embedding.actors import Duty, EncoderActor
from auricle.embedding.assignment import Assignment
from auricle.embedding.bulk import MAX_WORKERS
from auricle.embedding.parts import Position
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.models.encoder import Encoder

DECODING_BESIDE_CPU = 0.25  # of a processor is what a decoding process counts as, beside an encoder on a CPU
ROWS_AHEAD = 4  # pools whose rows wait for the driver, of each encoder
ROOM_SECONDS = 300.0  # for the cluster to make room for a first encoder
FAILED_STARTS = 3  # of encoders, one after the other, until the job is given up


class Crew:
    """As many encoders as a cluster has room for, each with its decoder.

    Parameters
    ----------
    ray
        The module, connected.
    model
        The encoder.
    given
        The job.
    device, workers, batch_seconds
        As in :func:`auricle.embedding.on_ray.embed_on_ray`.

    Attributes
    ----------
    size : int
        Of encoders, when all have room.
    """

    def __init__(
        self,
        ray: Any,
        model: Encoder,
        given: Assignment,
        *,
        device: str,
        workers: int | None,
        batch_seconds: float | None,
    ) -> None:
        self._ray = ray
        resources = ray.cluster_resources()
        processors, gpus = resources.get("CPU", 0.0), int(resources.get("GPU", 0))
        if device not in ("auto", "cpu", "cuda"):
            raise AuricleError(f"device is {device!r}: expected auto, cpu or cuda")
        if device == "cuda" and not gpus:
            raise AuricleError("device is cuda, but the Ray cluster has no GPU; use cpu")
        if workers is not None and workers < 1:
            raise AuricleError(f"workers must be at least 1, got {workers}")
        on_gpu = bool(gpus) and device != "cpu"
        if on_gpu:
            workers = workers or max(1, min(MAX_WORKERS, int(processors / gpus) - 1))
            self._needs = [{"CPU": 1.0, "GPU": 1.0}, {"CPU": float(workers)}]
            self.size = gpus
        else:
            workers = workers or 1
            self._needs = [{"CPU": 1.0}, {"CPU": DECODING_BESIDE_CPU * workers}]
            self.size = max(1, int(processors / (1.0 + DECODING_BESIDE_CPU * workers)))
        duty = Duty(given.job, given.windows, workers, "cuda" if on_gpu else "cpu", batch_seconds)
        columns = [name for name in ("path", "start", "end") if given.manifest.has(name)]
        clips = Manifest(given.manifest.table.select(columns), given.manifest.root.resolve(), given.manifest.source)
        self._tools = (ray.put(model.cpu()), ray.put(clips), duty)
        self._groups = [ray.util.placement_group(self._needs, strategy="PACK") for _ in range(self.size)]
        self._actors: dict[int, Any] = {}
        self._starting: dict[Any, int] = {}
        self._idle: list[int] = []
        self._failed_starts = 0
        self._since = time.monotonic()
        for number in range(self.size):
            self._start(number)

    def _start(self, number: int) -> None:
        def options(bundle: int) -> dict[str, Any]:
            strategy = self._ray.util.scheduling_strategies.PlacementGroupSchedulingStrategy(
                self._groups[number], placement_group_bundle_index=bundle
            )
            needs = self._needs[bundle]
            return {"num_cpus": needs["CPU"], "num_gpus": needs.get("GPU", 0.0), "scheduling_strategy": strategy}

        self._actors[number] = actor = self._ray.remote(EncoderActor).options(**options(0)).remote()
        self._starting[actor.prepare.remote(*self._tools, options(1))] = number

    def recruit(self, seconds: float = 0.0) -> None:
        """Look, for so long at most, whether encoders have started.

        Raises
        ------
        AuricleError
            When none starts: there is no room, or they die.
        """
        if not self._starting:
            return
        ready, _ = self._ray.wait(list(self._starting), num_returns=len(self._starting), timeout=seconds)
        for reference in ready:
            number = self._starting.pop(reference)
            try:
                self._ray.get(reference)
            except self._ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, AuricleError):
                    raise error.cause from None
                raise
            except self._ray.exceptions.RayError as error:
                self._failed_starts += 1
                if self._failed_starts >= FAILED_STARTS:
                    raise AuricleError(
                        f"encoders die as they start on the Ray cluster, {FAILED_STARTS} of them; is there enough "
                        "memory for the model?"
                    ) from error
                self.replace(number)
            else:
                self._failed_starts = 0
                self._idle.append(number)

    def wait_for_room(self, seconds: float) -> None:
        """Wait for an encoder where all that there is to do waits for one.

        Raises
        ------
        AuricleError
            When none comes.
        """
        self.recruit(seconds)
        if self._idle:
            self._since = time.monotonic()
        elif time.monotonic() - self._since > ROOM_SECONDS:
            needs = " and ".join(f"{number:g} {name}" for need in self._needs for name, number in need.items())
            raise AuricleError(
                f"the Ray cluster has made no room for an encoder ({needs}) in {ROOM_SECONDS:g} s; "
                "wait for others to finish, or give fewer workers"
            )

    def take_idle(self) -> int | None:
        """The number of an encoder that has nothing to do; None where there is none."""
        return self._idle.pop() if self._idle else None

    def put_idle(self, number: int) -> None:
        """An encoder has nothing to do any more."""
        self._idle.append(number)

    def embed(self, number: int, begin: Position, end: int) -> Any:
        """A stream of references to what an encoder tells of the clips from `begin` to row `end`."""
        self._since = time.monotonic()
        options = {"num_returns": "streaming", "_generator_backpressure_num_objects": ROWS_AHEAD}
        return self._actors[number].embed.options(**options).remote(begin, end)

    def replace(self, number: int) -> None:
        """Put another encoder in the place of a dead one."""
        self._ray.kill(self._actors[number])
        self._since = time.monotonic()
        self._start(number)

    def dismiss(self) -> None:
        """End all encoders and give their room back."""
        for actor in self._actors.values():
            self._ray.kill(actor)
        for group in self._groups:
            self._ray.util.remove_placement_group(group)
