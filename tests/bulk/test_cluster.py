"""Shards on a cluster of two nodes on this machine: what one lifts is what processes lift, whoever is killed."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

import poselift as pl
from poselift.bulk import Settings, lift_many
from poselift.bulk import plan as planning
from poselift.bulk.cluster import ShardLifter, row_of, shard_of
from poselift.bulk.plan import planned
from poselift.bulk.sources import find_clips
from poselift.errors import MissingExtraError, OutputError, ShapeError
from poselift.formats.keypoint_parquet import write_keypoints_parquet

pytest.importorskip("pyarrow")
SETTINGS = Settings(lifter="nanohtnet.mocap27-27")
CLIPS = 48


def people(count: int) -> dict[str, tuple[pl.Keypoints2D, ...]]:
    (person,) = pl.read_keypoints(str(resources.files("poselift") / "data" / "demo.npz"))
    piece = person.with_frames(person.xy[:9], person.confidence[:9], 50.0)
    return {f"clip{number:03d}": (replace(piece, xy=piece.xy + number),) for number in range(count)}


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Clips that go into shards of two."""
    monkeypatch.setattr(planning, "MOST_CLIPS", 2)
    write_keypoints_parquet(people(CLIPS), tmp_path / "in.parquet")
    return tmp_path / "in.parquet"


def shards(out: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(out.glob("poses-*.parquet"))}


def test_an_actor_writes_what_a_process_writes(tmp_path: Path, corpus: Path) -> None:
    """Without Ray: the callable that its actors are."""
    lift_many([corpus], tmp_path / "whole", SETTINGS, workers=1)
    todo = planned(find_clips([corpus]).clips, tmp_path / "out", SETTINGS.identity())
    lifter = ShardLifter(SETTINGS)
    for place, shard in enumerate(todo[:2]):
        row = json.loads(json.dumps(row_of(place, shard)))
        assert shard_of(row) == shard
        said = lifter(row)
        assert (said["place"], said["error"]) == (place, "")
        assert json.loads(said["report"])["notes"]["clips"] == 2
    assert shards(tmp_path / "out").items() <= shards(tmp_path / "whole").items()
    assert list((tmp_path / "out").glob(".*")) == []


def test_a_clip_at_which_actors_end_is_left_out(tmp_path: Path, corpus: Path) -> None:
    """An actor that is killed leaves where it was; the third one leaves that clip out."""
    shard = planned(find_clips([corpus]).clips, tmp_path / "out", SETTINGS.identity())[0]
    left = tmp_path / "out" / ".poses-00000.at.json"
    left.write_text("half a fi")
    assert json.loads(ShardLifter(SETTINGS)(row_of(0, shard))["report"])["notes"]["failed"] == []
    left.write_text(json.dumps({"place": 1, "deaths": {"1": 1, "0": 1}}))
    (failed,) = json.loads(ShardLifter(SETTINGS)(row_of(0, shard))["report"])["notes"]["failed"]
    assert failed["clip"] == "clip001"
    assert "2 processes ended at this clip" in failed["message"]


def test_what_ends_a_run_is_said(tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = planned(find_clips([corpus]).clips, tmp_path / "out", SETTINGS.identity())[0]
    said = ShardLifter(replace(SETTINGS, lifter=str(tmp_path / "gone.onnx")))(row_of(0, shard))
    assert "CheckpointError: no weights at" in said["error"]
    with pytest.raises(ShapeError, match="is for the engine ray"):
        lift_many([corpus], tmp_path / "other", SETTINGS, address="auto")
    with pytest.raises(ShapeError, match="unknown engine 'rey'; did you mean 'ray'"):
        lift_many([corpus], tmp_path / "other", SETTINGS, engine="rey")  # type: ignore[arg-type]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "ray" else object())
    with pytest.raises(MissingExtraError, match=r"\[ray\]"):
        lift_many([corpus], tmp_path / "other", SETTINGS, engine="ray")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes of one core each, as two sets of processes."""
    pytest.importorskip("ray", reason="Ray is not installed (pip install -e '.[ray]'): no cluster to test on")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # else a busy machine starves the actors
    source = str(Path(pl.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([source, os.environ.get("PYTHONPATH", "")]))
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    made.wait_for_nodes()
    yield made
    ray.shutdown()
    made.shutdown()


def actors() -> list[int]:
    """Processes of actors that lift shards."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            named = file.read_bytes()
        except OSError:
            continue
        if named.startswith(b"ray::") and b"ShardLifter" in named:
            found.append(int(file.parent.name))
    return found


def kill_one(out: Path, after: int, killed: list[int]) -> None:
    """Kill an actor when so many shards are there."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not killed:
        if len(list(out.glob("poses-*.parquet"))) >= after and (there := actors()):
            os.kill(there[0], signal.SIGKILL)
            killed.append(there[0])
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are found by /proc")
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_a_killed_actor_loses_and_doubles_nothing(tmp_path: Path, corpus: Path, cluster: Any) -> None:
    lift_many([corpus], tmp_path / "whole", SETTINGS, workers=1)
    out, killed = tmp_path / "out", []
    killer = threading.Thread(target=kill_one, args=(out, 3, killed))
    killer.start()
    summary = lift_many([corpus], out, SETTINGS, engine="ray", address=cluster.address)
    killer.join()
    assert killed, "the run was over before anyone was killed"
    assert (summary.clips, summary.lifted, summary.failed) == (CLIPS, CLIPS, [])
    assert shards(out) == shards(tmp_path / "whole")
    assert len(shards(out)) == CLIPS // 2
    assert [file.name for file in out.glob(".*")] == [".lift-many.lock"]
    with pytest.raises(OutputError, match="CheckpointError"):
        broken = tmp_path / "broken.onnx"
        broken.write_bytes(b"")
        list(_lifted_with(broken, corpus, tmp_path / "broken", cluster.address))


def _lifted_with(weights: Path, corpus: Path, out: Path, address: str) -> Iterator[Any]:
    from poselift.bulk.cluster import lift_on_ray

    todo = planned(find_clips([corpus]).clips, out, SETTINGS.identity())[:2]
    yield from lift_on_ray(todo, replace(SETTINGS, lifter=str(weights)), address=address, workers=2)
