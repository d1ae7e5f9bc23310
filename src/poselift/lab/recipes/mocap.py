"""Weights that may ship: trained on the CMU motion capture data through the observation model."""

from poselift.lab.data import DataConfig
from poselift.lab.losses import LossConfig
from poselift.lab.train import TrainRecipe


def nanohtnet_mocap() -> TrainRecipe:
    """The default weights, `nanohtnet.mocap-81`."""
    return TrainRecipe(
        name="nanohtnet.mocap-81",
        lifter="nanohtnet",
        model={
            "in_frames": 81,
            "keep_frames": 9,
            "in_channels": 3,
            "dct": "ortho",
            "spatial_dropout": 0.0,
            "temporal_dropout": 0.0,
            "projection_dropout": 0.0,
            "drop_path": (0.0, 0.0),
        },
        data=DataConfig(),
        loss=LossConfig(),
    )
