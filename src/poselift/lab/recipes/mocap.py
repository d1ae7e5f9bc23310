"""Weights that may ship: trained on the CMU motion capture data through the observation model."""

from poselift.lab.data import DataConfig
from poselift.lab.optim import OptimConfig
from poselift.lab.recipe import TrainRecipe


def mocap() -> TrainRecipe:
    """Any lifter on motion capture; name it with `--lifter`, `module:Class` for your own.

    Command: `poselift train mocap --lifter htnet --data mocap17.npz --out DIR`. Cost: minutes to hours, by the lifter.
    """
    return TrainRecipe(
        name="lifter.mocap",
        lifter="htnet",
        data=DataConfig(exact=0.35, own_joints=0.15),
        optim=OptimConfig(lr=1e-3, warmup_steps=400, ema=0.999),
        steps=20000,
        batch_size=64,
        evaluate_every=2000,
        checkpoint_every=500,
        log_every=100,
    )


def nanohtnet_mocap() -> TrainRecipe:
    """The default weights, `nanohtnet.mocap-81`.

    Command: `poselift train nanohtnet_mocap --data mocap17.npz --out DIR`. Cost: 1.2 hours on one core with bfloat16
    (AMD EPYC, Zen 5); on a core without it, `--precision fp32` and about twice the time. There is no published number:
    the papers train on Human3.6M. Ours stand on the card beside the weights; docs/log.md has what led here.
    """
    return TrainRecipe(
        name="nanohtnet.mocap-81",
        lifter="nanohtnet",
        model={
            "in_frames": 81,
            "keep_frames": 9,
            "in_channels": 3,
            "dct": "ortho",
            "inverse_dct": True,
            "skip": True,
            "spatial_dropout": 0.0,
            "temporal_dropout": 0.0,
            "projection_dropout": 0.0,
            "drop_path": (0.0, 0.0),
        },
        data=DataConfig(exact=0.35, own_joints=0.15),
        optim=OptimConfig(lr=2e-3, warmup_steps=400, ema=0.9995),
        steps=30000,
        batch_size=64,
        precision="bf16",
        evaluate_every=2000,
        checkpoint_every=500,
        log_every=100,
    )
