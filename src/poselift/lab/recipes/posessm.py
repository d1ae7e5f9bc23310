"""PoseSSM (AAAI 2025), trained as in its released code."""

from poselift.lab.recipes.rows import H36M, Recipe, by_epochs, row
from poselift.lab.run.losses import LossConfig
from poselift.lab.windows.benchmark import BenchmarkConfig

HARDWARE = "the paper has one RTX 4090 and gives no time"
SAYS = (
    "As released, where the paper says otherwise: 29 epochs (paper 30: `--epochs 30`); after every fifth epoch the "
    "rate is halved instead of multiplied by 0.95 (paper both: `--optim.halving besides`); the scan's step size "
    "belongs to a channel (paper's Algorithm 1, to a joint and channel: `--model.step-size joint`); limb ends count up "
    "to four times (not in the paper: `--loss.no-joint-weights`). Not as released: the last epoch's weights are "
    "measured, not those best on the test subjects (`--data.as-published --evaluate-every 1` for theirs)."
)


def posessm(name: str, title: str, data: BenchmarkConfig, paper: str) -> Recipe:
    """Return the recipe of a row of PoseSSM; rows differ in the data alone."""
    return row(
        name, f"PoseSSM, {title}", data=data, optim=by_epochs(lr=5e-4, factor=0.95, halve_every=5), epochs=29,
        batch_size=512, model={"step_size": "channel"}, loss=LossConfig(joint_weights=True), hardware=HARDWARE,
        paper=paper, says=SAYS,
    )  # fmt: skip


def h36m(keypoints: str) -> BenchmarkConfig:
    """Return Human3.6M with these keypoints, by the protocol of PoseSSM's code."""
    return BenchmarkConfig(dataset="h36m", keypoints=H36M[keypoints], protocol="posessm")


DHP = BenchmarkConfig(dataset="3dhp", keypoints="gt", protocol="posessm_3dhp")

ROWS = (
    posessm("posessm_h36m_cpn", "Human3.6M, CPN keypoints", h36m("cpn"), "MPJPE 48.13 mm (name of its checkpoint)"),
    posessm("posessm_h36m_gt", "Human3.6M, exact keypoints", h36m("gt"), "MPJPE 31.26 mm (name of its checkpoint)"),
    posessm("posessm_3dhp", "MPI-INF-3DHP, exact keypoints", DHP, "not obtainable"),
)
"""Every row."""
