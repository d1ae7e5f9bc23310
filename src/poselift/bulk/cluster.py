"""Shards lifted by actors of Ray Data, on this machine or on many; needs the extra `ray`.

All machines must see the inputs and the folder of the results under the same paths, and have poselift installed. What
a process does with a shard is what an actor does (`poselift.bulk.work.Worker`), and a shard is whole or not there, so
that one that Ray gives to another actor, because its own is gone, is neither lost nor doubled. A clip at which two
actors end counts as broken: what an actor is at stands in a hidden file beside the results.
"""

import contextlib
import importlib.util
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from poselift.bulk.crew import Progress, worn_out
from poselift.bulk.plan import Shard
from poselift.bulk.settings import Settings
from poselift.bulk.sources import Clip
from poselift.bulk.work import Report, Worker
from poselift.errors import MissingExtraError, OutputError, PoseliftError, install_hint

_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_DISABLE_PROGRESS_BARS": "1"}
"""Ray would send statistics of its use over the network, and draw bars of its own."""


class ShardLifter:
    """The callable of a cluster: takes a shard, writes its file, and returns what became of it."""

    def __init__(self, settings: Settings) -> None:
        """Prepare; networks are opened when clips need them."""
        self._worker = Worker(settings)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Lift the shard of a row of `row_of`.

        Returns:
            The row's place, and the report of the shard or the error that ends the run, as JSON.
        """
        shard = shard_of(row)
        at = _Place(shard)
        try:
            report = self._worker.lift(shard, lambda place, _: at.move(place), at.skips)
        except PoseliftError as error:
            return {"place": row["place"], "report": "", "error": f"{type(error).__name__}: {error}"}
        at.done()
        said = {"notes": report.notes(), "seconds": report.seconds, "network_s": report.network_s}
        return {"place": row["place"], "report": json.dumps(said), "error": ""}


class _Place:
    """Which clip of a shard an actor is at, in a file that outlives the actor."""

    def __init__(self, shard: Shard) -> None:
        """Read what an actor before has left, and count its end for the clip that it was at."""
        self._path = shard.path.with_name(f".{shard.path.stem}.at.json")
        self._deaths: dict[str, int] = {}
        with contextlib.suppress(OSError, ValueError):  # nobody was here, or ended while writing
            left = json.loads(self._path.read_text(encoding="utf-8"))
            self._deaths = {str(place): int(count) for place, count in left["deaths"].items()}
            place = str(left["place"])
            self._deaths[place] = self._deaths.get(place, 0) + 1

    @property
    def skips(self) -> dict[int, str]:
        """By place, why clips are left out."""
        return {int(place): worn_out(count, "") for place, count in self._deaths.items() if worn_out(count, "")}

    def move(self, place: int) -> None:
        """Say which clip is begun."""
        new = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):  # the results cannot be written then, which is said there
            new.write_text(json.dumps({"place": place, "deaths": self._deaths}), encoding="utf-8")
            new.replace(self._path)

    def done(self) -> None:
        """Forget the shard, which is written."""
        self._path.unlink(missing_ok=True)


def row_of(place: int, shard: Shard) -> dict[str, Any]:
    """Return a shard as a row of plain values."""
    return {"place": place, "path": str(shard.path), "clips": json.dumps([asdict(clip) for clip in shard.clips])}


def shard_of(row: dict[str, Any]) -> Shard:
    """Return the shard of a row of `row_of`."""
    clips = [Clip(**{**one, "rows": one["rows"] and tuple(one["rows"])}) for one in json.loads(row["clips"])]
    return Shard(Path(row["path"]), tuple(clips))


def lift_on_ray(
    shards: Sequence[Shard], settings: Settings, *, address: str | None, workers: int | None
) -> Iterator[Progress | tuple[int, Report]]:
    """Lift shards on a cluster, and yield progress and, by place, the report of each that is written, in any order.

    Args:
        shards: What to lift.
        settings: How.
        address: Address of a running cluster, such as "auto" or "HOST:6379"; None to begin one on this machine, and to
            end it afterwards.
        workers: Most actors, each with one core; as many as the cluster has cores when None.

    Raises:
        MissingExtraError: Ray is not installed.
        PoseliftError: An actor cannot go on: weights are broken, or results cannot be written.
        OutputError: The cluster cannot be reached, or is gone.
    """
    ray = _ray()
    ours = not ray.is_initialized()
    try:
        if ours:
            begin = {"address": address} if address is not None else {"include_dashboard": False, "num_cpus": workers}
            ray.init(**begin, log_to_driver=False, logging_level="error")
        count = workers or max(int(ray.cluster_resources().get("CPU", 1)), 1)
        rows = [row_of(place, shard) for place, shard in enumerate(shards)]
        if not rows:
            return
        ray.data.DataContext.get_current().enable_progress_bars = False
        pool = ray.data.ActorPoolStrategy(min_size=1, max_size=min(count, len(rows)))
        found = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            ShardLifter, fn_constructor_args=(settings,), compute=pool, num_cpus=1
        )
        for row in found.iter_rows():
            if row["error"]:
                raise OutputError(f"an actor cannot go on: {row['error']}")
            said = json.loads(row["report"])
            report = Report.of(said["notes"], said["seconds"], said["network_s"])
            yield Progress(report.frames)
            yield int(row["place"]), report
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise OutputError(
            f"the cluster failed ({type(error).__name__}: {str(error).strip():.500}); give the command again: shards "
            "that are written stay"
        ) from error
    finally:
        if ours and ray.is_initialized():
            ray.shutdown()


def need_ray() -> None:
    """Raise a MissingExtraError unless Ray is installed."""
    if importlib.util.find_spec("ray") is None:
        raise MissingExtraError(f"lifting on a cluster needs Ray; run: {install_hint('ray')}")


def _ray() -> Any:
    """Import Ray, which takes seconds."""
    need_ray()
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import ray
    import ray.data
    import ray.exceptions

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray
