"""ConvFormer (The Visual Computer 2024). No code was released; what the paper leaves open is VideoPose3D's."""

from typing import Any

from poselift.lab.recipes.rows import H36M, Recipe, by_epochs, row
from poselift.lab.windows.benchmark import BenchmarkConfig

HARDWARE = "the paper has two RTX 3090 and gives no time"
SAYS = (
    "From the paper: 60 epochs, batches of 1024, rate 1e-3 times 0.95 after each epoch. Not in the paper, and taken "
    "from VideoPose3D, whose four numbers these are: Adam with amsgrad (PoseFormer's AdamW: `--optim.method adamw "
    "--optim.weight-decay 0.1`), flip averaging in the test, the last epoch's weights."
)
EXACT = {"9": "not published", "27": "not published", "81": "not published", "143": "29.9", "243": "29.8"}
CPN = {"9": "49.4", "27": "47.7", "81": "45.0", "143": "43.7", "243": "43.2"}
DHP = BenchmarkConfig(dataset="3dhp", keypoints="gt", protocol="p_stmo_3dhp")
HUMANEVA = BenchmarkConfig(dataset="humaneva", keypoints="detectron_pt_coco", protocol="humaneva")


def convformer(
    name: str, title: str, data: BenchmarkConfig, frames: int, paper: str, says: str = "", **model: Any
) -> Recipe:
    """Return the recipe of a row of ConvFormer: rows differ in data, frames and shape, and not in the training."""
    return row(
        name, f"ConvFormer, {title}", data=data, optim=by_epochs(lr=1e-3, factor=0.95), epochs=60, batch_size=1024,
        model={"in_frames": frames} | model, hardware=HARDWARE, paper=paper, says=f"{SAYS} {says}".strip(),
    )  # fmt: skip


def h36m(keypoints: str, frames: str, mpjpe: str) -> Recipe:
    """Return the recipe for Human3.6M with these keypoints and frames."""
    title = f"Human3.6M, {'CPN' if keypoints == 'cpn' else 'exact'} keypoints, T = {frames}"
    data = BenchmarkConfig(dataset="h36m", keypoints=H36M[keypoints], protocol="convformer")
    paper = mpjpe if mpjpe.startswith("not") else f"MPJPE {mpjpe} mm"
    return convformer(f"convformer_h36m_{keypoints}_{frames}", title, data, int(frames), paper)


def humaneva(frames: int, mean: str) -> Recipe:
    """Return the recipe for HumanEva-I with so many frames: 15 joints at 60 frames per second."""
    says = (
        "The paper does not name its keypoints; Mask R-CNN's are VideoPose3D's (exact ones: `--data.keypoints gt`). It "
        "has 16 mm for Walking of S3 where others have 46, and does not say how: do not expect it."
    )
    return convformer(
        f"convformer_humaneva_{frames}", f"HumanEva-I, T = {frames}", HUMANEVA, frames,
        f"P-MPJPE {mean} mm, the mean of its nine cells", says, skeleton="HUMANEVA_15", fps=60.0,
    )  # fmt: skip


def ablation(name: str, title: str, mpjpe: str, **model: Any) -> Recipe:
    """Return the recipe for a shape other than the paper's final one, on Human3.6M with CPN keypoints and T = 9."""
    data = BenchmarkConfig(dataset="h36m", keypoints=H36M["cpn"], protocol="convformer")
    return convformer(f"convformer_{name}", f"Human3.6M, CPN, T = 9, {title}", data, 9, f"MPJPE {mpjpe} mm", **model)


def kernels(widths: str, mpjpe: str) -> Recipe:
    """Return the recipe of a row of Table 4, given by the widths of its filters."""
    numbers = tuple(map(int, widths.split(",")))
    return ablation(f"kernels_{widths.replace(',', '_')}", f"kernels {widths}", mpjpe, kernels=numbers)


def depth(width: int, spatial: int, temporal: int, mpjpe: str) -> Recipe:
    """Return the recipe of a row of Table 3, given by width and numbers of blocks."""
    return ablation(
        f"depth_{width}_{spatial}_{temporal}", f"d = {width}, {spatial} spatial and {temporal} temporal blocks", mpjpe,
        width=width, num_spatial_blocks=spatial, num_temporal_blocks=temporal,
    )  # fmt: skip


ROWS = (
    *(h36m("cpn", frames, mpjpe) for frames, mpjpe in CPN.items()),
    *(h36m("gt", frames, mpjpe) for frames, mpjpe in EXACT.items()),
    humaneva(9, "20.68"),
    humaneva(27, "17.57"),
    humaneva(43, "15.34"),
    convformer("convformer_3dhp_9", "MPI-INF-3DHP, T = 9", DHP, 9, "PCK 96.4, AUC 69.8, MPJPE 53.6 mm"),
    kernels("3", "51.7"),
    kernels("3,3", "51.6"),
    kernels("3,3,3", "50.8"),
    kernels("5", "50.5"),
    kernels("5,5", "52.0"),
    kernels("5,5,5", "51.9"),
    kernels("7", "50.5"),
    kernels("7,7", "50.1"),
    kernels("9", "51.5"),
    kernels("9,9", "50.8"),
    kernels("9,9,9", "50.6"),
    kernels("3,5,7", "50.6"),
    kernels("5,7,9", "51.6"),
    depth(16, 2, 2, "50.8"),
    depth(16, 2, 4, "51.0"),
    depth(16, 4, 2, "51.7"),
    depth(32, 2, 4, "50.6"),
    depth(32, 4, 2, "49.9"),
    depth(64, 2, 2, "50.1"),
    ablation("heads_1", "1 head", "52.3", heads=1),
    ablation("heads_2", "2 heads", "51.0", heads=2),
    ablation("heads_4", "4 heads", "49.6", heads=4),
)
"""Every row; `convformer_h36m_cpn_9` is also the row of kernels 7,7,7, of width 32 with 2 and 2 blocks, of 8 heads."""
