"""HTNet (ICASSP 2023) and NanoHTNet (IEEE TIP 2025), trained as in their released code."""

from poselift.lab.recipes.rows import H36M, Recipe, by_epochs, row
from poselift.lab.windows.benchmark import BenchmarkConfig

HARDWARE = "the paper's hardware and time are not known"
LAST = (
    "Not as released: the last epoch's weights are measured, not those best on the test subjects "
    "(`--data.as-published --evaluate-every 1` for theirs)."
)
HTNET = (
    "The released options go on for 299 epochs and keep the epoch best on the test subjects, which the README has at "
    f"15; there we stop (`--epochs 299` to go on). Without the refinement stage, which was not released. {LAST}"
)
NANOHTNET = (
    "All yielded frames are trained, the middle one is scored. Without PoseCLR pre-training, which was not released. "
    f"The figure's labels are the frames yielded (K); which T its models had is not stated. {LAST}"
)


def htnet(keypoints: str, mpjpe: str) -> Recipe:
    """Return the recipe of a row of HTNet, given by its keypoints."""
    return row(
        f"htnet_h36m_{keypoints}", f"HTNet, Human3.6M, {'CPN' if keypoints == 'cpn' else 'exact'} keypoints",
        data=BenchmarkConfig(dataset="h36m", keypoints=H36M[keypoints], protocol="htnet"),
        optim=by_epochs(lr=5e-4, factor=0.95, halve_every=5), epochs=15, batch_size=512, hardware=HARDWARE,
        paper=f"MPJPE {mpjpe} mm (README)", says=HTNET,
    )  # fmt: skip


def nanohtnet(keypoints: str, frames: int, keep: int, paper: str = "not obtainable") -> Recipe:
    """Return the recipe of a row of NanoHTNet, given by keypoints, frames seen and frames returned."""
    return row(
        f"nanohtnet_h36m_{keypoints}_{frames}_{keep}",
        f"NanoHTNet, Human3.6M, {'CPN' if keypoints == 'cpn' else 'exact'} keypoints, T = {frames}, K = {keep}",
        data=BenchmarkConfig(dataset="h36m", keypoints=H36M[keypoints], protocol="nanohtnet"),
        optim=by_epochs(lr=5e-4, factor=1.0, halve_every=5), epochs=49, batch_size=256,
        model={"in_frames": frames, "keep_frames": keep}, hardware=HARDWARE, paper=paper, says=NANOHTNET,
    )  # fmt: skip


ROWS = (
    htnet("cpn", "48.9"),
    htnet("gt", "34.0"),
    nanohtnet("cpn", 243, 9, "MPJPE about 44.5 mm (read off a figure)"),
    nanohtnet("cpn", 243, 27, "MPJPE about 43.5 mm (read off a figure)"),
    nanohtnet("cpn", 81, 9),
    nanohtnet("cpn", 81, 27),
    nanohtnet("gt", 243, 9),
    nanohtnet("gt", 243, 27),
    nanohtnet("gt", 81, 9),
    nanohtnet("gt", 81, 27),
)
"""Every row."""
