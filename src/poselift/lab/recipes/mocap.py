"""Weights that may ship: trained on the CMU motion capture data through the observation model.

There are no published numbers, since the papers train on Human3.6M. Ours are on the cards beside the weights, each with
the exact recipe of the file; docs/log.md tells how we came to them. Regularisation is off, because in trainings as
short as these it costs more accuracy than it gives.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from poselift.lab.run.optim import OptimConfig
from poselift.lab.run.recipe import TrainRecipe
from poselift.lab.windows.mocap import DataConfig
from poselift.lab.windows.own import OwnConfig
from poselift.skeleton import BODY_27


def mocap() -> TrainRecipe:
    """Train any lifter on motion capture; name it by `--lifter`, with `module:Class` for your own.

    Command: `poselift train mocap --lifter htnet --data mocap17.npz --out DIR`. Cost: minutes to hours, by the lifter.
    """
    return _recipe("lifter.mocap", "htnet", {}, lr=1e-3, ema=0.999, steps=20000, precision="auto")


def nanohtnet_mocap() -> TrainRecipe:
    """Train the default weights, `nanohtnet.mocap-81`.

    Command: `poselift train nanohtnet_mocap --data mocap17.npz --out DIR`. Cost: 1.2 hours on one core with bfloat16
    (AMD EPYC, Zen 5); on a core without it, use `--precision fp32` and expect about twice the time. The shipped weights
    were then trained for 4,000 more steps: `--init` from the first ones with `--steps 4000 --optim.lr 8e-4`.
    """
    return _nanohtnet("nanohtnet.mocap-81", 81)


def nanohtnet_mocap_243() -> TrainRecipe:
    """Train `nanohtnet.mocap-243`, for clips of a second or more.

    Command: `poselift train nanohtnet_mocap_243 --data mocap17.npz --out DIR --init
    weights/nanohtnet.mocap-81.safetensors`. Cost: an hour on one such core; from a fresh start `--steps 45000`, 2.6.
    """
    return _nanohtnet("nanohtnet.mocap-243", 243, lr=1.2e-3, steps=15000)


def nanohtnet_mocap_27() -> TrainRecipe:
    """Train `nanohtnet.mocap-27`, for short clips and little delay.

    Command: `poselift train nanohtnet_mocap_27 --data mocap17.npz --out DIR --init
    weights/nanohtnet.mocap-81.safetensors`. Cost: ten minutes on one such core; from a fresh start `--steps 30000`.
    """
    return _nanohtnet("nanohtnet.mocap-27", 27, lr=1e-3, steps=2500)


def nanohtnet_mocap_live() -> TrainRecipe:
    """Train `nanohtnet.mocap-live`, whose newest output frame is the newest input frame.

    Command: `poselift train nanohtnet_mocap_live --data mocap17.npz --out DIR --init
    weights/nanohtnet.mocap-81.safetensors`. Cost: 13 minutes on one such core; from a fresh start `--steps 30000`.
    """
    return _nanohtnet("nanohtnet.mocap-live", 81, live=True, lr=1.2e-3, steps=4000)


def posessm_mocap() -> TrainRecipe:
    """Train `posessm.mocap`, for single frames.

    Command: `poselift train posessm_mocap --data mocap17.npz --out DIR`. Cost: an hour on one such core.
    """
    still = {"graph_dropout": 0.0, "projection_dropout": 0.0, "drop_path": (0.0, 0.0)}
    return _recipe("posessm.mocap", "posessm", {"in_channels": 3} | still, steps=18000)


def htnet_mocap() -> TrainRecipe:
    """Train `htnet.mocap`, for single frames.

    Command: `poselift train htnet_mocap --data mocap17.npz --out DIR`. Cost: about 40 minutes on one such core.
    """
    still = {"dropout": 0.0, "projection_dropout": 0.0, "drop_path": (0.0, 0.0)}
    return _recipe("htnet.mocap", "htnet", {"in_channels": 3} | still, steps=18000)


def convformer_mocap() -> TrainRecipe:
    """Train `convformer.mocap-27`.

    Command: `poselift train convformer_mocap --data mocap17.npz --out DIR`. Cost: about 5 hours on one such core.
    """
    still = {"dropout": 0.0, "drop_path": (0.0, 0.0)}
    return _recipe("convformer.mocap-27", "convformer", {"in_frames": 27, "in_channels": 3} | still, lr=1e-3)


def nanohtnet_mocap27_81() -> TrainRecipe:
    """Train `nanohtnet.mocap27-81`: 27 joints, with feet and a head that turns.

    Command: `poselift train nanohtnet_mocap27_81 --data mocap27.npz --out DIR`, with the archives of the other sources
    beside it. `--data.sources main 1` trains on that archive alone.
    """
    return _body(_nanohtnet("nanohtnet.mocap27-81", 81))


def nanohtnet_mocap27_243() -> TrainRecipe:
    """Train `nanohtnet.mocap27-243`, for clips of a second or more; 27 joints.

    Command: `poselift train nanohtnet_mocap27_243 --data mocap27.npz --out DIR --init
    nanohtnet.mocap27-81.safetensors`.
    """
    return _body(_nanohtnet("nanohtnet.mocap27-243", 243, lr=1.2e-3, steps=15000))


def nanohtnet_mocap27_27() -> TrainRecipe:
    """Train `nanohtnet.mocap27-27`, for short clips and little delay; 27 joints.

    Command: `poselift train nanohtnet_mocap27_27 --data mocap27.npz --out DIR --init nanohtnet.mocap27-81.safetensors`.
    """
    return _body(_nanohtnet("nanohtnet.mocap27-27", 27, lr=1e-3, steps=2500))


def nanohtnet_mocap27_live() -> TrainRecipe:
    """Train `nanohtnet.mocap27-live`, whose newest output frame is the newest input frame; 27 joints.

    Command: `poselift train nanohtnet_mocap27_live --data mocap27.npz --out DIR --init
    nanohtnet.mocap27-81.safetensors`.
    """
    return _body(_nanohtnet("nanohtnet.mocap27-live", 81, live=True, lr=1.2e-3, steps=4000))


def posessm_mocap27() -> TrainRecipe:
    """Train `posessm.mocap27`, for single frames; 27 joints.

    Command: `poselift train posessm_mocap27 --data mocap27.npz --out DIR`.
    """
    return _body(replace(posessm_mocap(), name="posessm.mocap27"))


def htnet_mocap27() -> TrainRecipe:
    """Train `htnet.mocap27`, for single frames; 27 joints.

    Command: `poselift train htnet_mocap27 --data mocap27.npz --out DIR`. The shipped weights began as those of 17
    joints: `--init htnet.mocap.safetensors --steps 6000 --optim.lr 1.5e-3`, 39 minutes on a shared core.
    """
    return _body(replace(htnet_mocap(), name="htnet.mocap27"))


def convformer_mocap27() -> TrainRecipe:
    """Train `convformer.mocap27-27`; 27 joints.

    Command: `poselift train convformer_mocap27 --data mocap27.npz --out DIR`.
    """
    return _body(replace(convformer_mocap(), name="convformer.mocap27-27"))


def own() -> TrainRecipe:
    """Train the default weights' network on recordings of your own, from existing weights; see docs/fine_tuning.md.

    Command: `poselift train own --data DIR --init WEIGHTS.safetensors --out DIR`. Cost: four minutes on one such core.
    """
    short = OptimConfig(lr=3e-4, warmup_steps=100, ema=0.99)
    return replace(
        nanohtnet_mocap(), name="nanohtnet.own", data=OwnConfig(), optim=short, steps=1500, evaluate_every=500
    )


SHARES = {"main": 0.72, "rocketbox": 0.2, "mesh2motion": 0.03, "idle": 0.05}
"""Shares of the windows that recipes of 27 joints draw from each source: hand-keyed and idle motion is little."""


def _body(recipe: TrainRecipe) -> TrainRecipe:
    """Return a recipe of 17 joints for 27, trained on all sources of motion, for a lifter that gives all it can."""
    model = recipe.model | {"skeleton": BODY_27.name, "spread": True, "up": True, "contact": True}
    data = DataConfig(exact=0.35, own_joints=0.1, sources=dict(SHARES))
    return replace(recipe, model=model, data=data, precision="auto")  # bfloat16 is slow on CPUs that only emulate it


def _nanohtnet(name: str, frames: int, *, live: bool = False, lr: float = 2e-3, steps: int = 30000) -> TrainRecipe:
    """Return a recipe of NanoHTNet with the options of the shipped weights, for a window of so many frames."""
    still = {"spatial_dropout": 0.0, "temporal_dropout": 0.0, "projection_dropout": 0.0, "drop_path": (0.0, 0.0)}
    ours = {"in_channels": 3, "dct": "ortho", "inverse_dct": True, "skip": True}
    model = {"in_frames": frames, "keep_frames": 9} | ours | still
    return _recipe(name, "nanohtnet", model | ({"live": True} if live else {}), lr=lr, steps=steps)


def _recipe(
    name: str, lifter: str, model: dict[str, Any], *, lr: float = 2e-3, ema: float = 0.9995, steps: int = 30000,
    precision: Literal["auto", "bf16"] = "bf16",
) -> TrainRecipe:  # fmt: skip
    """Return a recipe with what all recipes of this file have in common."""
    return TrainRecipe(
        name=name,
        lifter=lifter,
        model=model,
        data=DataConfig(exact=0.45, own_joints=0.15),
        optim=OptimConfig(lr=lr, warmup_steps=400, ema=ema),
        steps=steps,
        batch_size=64,
        precision=precision,
        evaluate_every=2000,
        checkpoint_every=500,
        log_every=100,
    )


ROWS: tuple[Callable[[], TrainRecipe], ...] = (
    mocap, nanohtnet_mocap, nanohtnet_mocap_243, nanohtnet_mocap_27, nanohtnet_mocap_live, posessm_mocap, htnet_mocap,
    convformer_mocap, own, nanohtnet_mocap27_81, nanohtnet_mocap27_243, nanohtnet_mocap27_27, nanohtnet_mocap27_live,
    posessm_mocap27, htnet_mocap27, convformer_mocap27,
)  # fmt: skip
"""Every recipe of this file."""
