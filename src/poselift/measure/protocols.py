"""How a lifter is measured on a benchmark: every choice that changes the numbers, and the choices of known papers.

What papers do quietly (weights chosen on the test subjects, oracle scale, dropped sequences, P-MPJPE averaged over
mixed batches) is off unless asked for: `posessm(as_published=True)` switches on what that paper's code does.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args, get_type_hints

from poselift.errors import RecipeError, SkeletonError
from poselift.measure.metrics import AUC_THRESHOLDS_MM
from poselift.skeleton import Skeleton

MOTIONBERT_DROPS = (("S9", "Greeting"), ("S9", "SittingDown 1"), ("S9", "Waiting 1"))
"""(subject, sequence) in the names of VideoPose3D's archive that MotionBERT and its descendants leave out of testing;
its own names are s_09_act_05_subact_02, s_09_act_10_subact_02 and s_09_act_13_subact_01."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkProtocol:
    """Every choice of an evaluation."""

    frames: Literal["centre", "dense", "clips"] = "centre"
    """Which windows a clip is lifted in. "centre": one for each scored frame, which is the middle one of those that the
    lifter yields. "dense": windows step by the frames that the lifter yields. Both repeat a clip's first and last
    frame beyond its ends. "clips": as MixSTE, windows follow each other and the last one ends with the clip, so that
    the frames it shares with the one before count twice; a clip shorter than a window is lengthened by its last frame,
    and these frames count."""
    flip_average: bool = False
    """Average each result with that of the mirror image: a little better, twice the time."""
    root: Literal["as predicted", "zeroed", "moved", "left out"] = "as predicted"
    """How the root counts, whose target is 0. "as predicted": as any other joint. "zeroed": its prediction is set to 0,
    and that error of 0 counts in the means. "moved": the whole pose is moved so that its root is at 0. "left out": the
    root counts in no mean."""
    joints: tuple[str, ...] | None = None
    """Names of the joints that are scored; all when None. Bone lengths are always those of the whole skeleton."""
    scale: Literal["none", "oracle"] = "none"
    """"oracle": each pose is brought to the size that fits the truth best before anything is measured, which no user
    can do. (MotionBERT's line has its predictions in pixels and multiplies them by the true millimetres in a pixel.)"""
    average: Literal["actions", "frames", "sequences", "subjects x actions"] = "actions"
    """How the result is averaged. "actions": over the frames of each action, then over the actions, without weights.
    "frames": over all frames. "sequences": as "actions", but over each subject's recordings (all their cameras
    together). "subjects x actions": as "actions", but over each action of each subject (HumanEva's nine cells)."""
    drop: tuple[tuple[str, str], ...] = ()
    """Recordings (subject, sequence) that are left out."""
    p_mpjpe: Literal["each frame", "mean of batch"] = "each frame"
    """"mean of batch": as the MHFormer line does, frames are taken in batches in the order of the data; in a batch that
    holds more than one sequence name, each frame counts with the batch's mean, so that actions mix at their borders."""
    batch: int = 512
    """Frames in such a batch."""
    velocity_weight: Literal["steps", "frames"] = "steps"
    """Weight of a clip's mean velocity and acceleration error: its number of steps, or of frames as in VideoPose3D."""
    pck_threshold_mm: float = 150.0
    """Error in millimetres strictly below which a joint is correct."""
    pck_joints: Literal["scored", "fourteen"] = "scored"
    """Joints of PCK and AUC. "fourteen": head top, neck, shoulders, elbows, wrists, hips, knees and ankles, as in
    MPI-INF-3DHP's own script; a root that is set to 0 would count as correct."""
    auc_thresholds: str = "31: 0, 5 .. 150 mm"
    """Name of the thresholds, one of `poselift.measure.metrics.AUC_THRESHOLDS_MM`."""
    checkpoint: Literal["not on test", "best on test"] = "not on test"
    """How the weights were chosen among the training's epochs. The measurement does not depend on it: training follows
    it, and it is stored with the numbers."""

    def __post_init__(self) -> None:
        """Check that each choice exists."""
        for name, kind in get_type_hints(type(self)).items():
            allowed = AUC_THRESHOLDS_MM if name == "auc_thresholds" else get_args(kind)
            value = getattr(self, name)
            if isinstance(value, str) and value not in allowed:
                raise RecipeError(f"protocol: wanted {name} as one of {', '.join(map(repr, allowed))}, got {value!r}")
        if self.batch < 1 or not self.pck_threshold_mm > 0:
            raise RecipeError(
                f"protocol: wanted batch and pck_threshold_mm above 0, got {self.batch} and {self.pck_threshold_mm}"
            )

    def scored_joints(self, skeleton: Skeleton) -> tuple[str, ...]:
        """Return the names of the joints that count, in the skeleton's order.

        Raises:
            SkeletonError: The skeleton lacks one that was asked for.
            RecipeError: Fewer than three are left, or one is named twice.
        """
        names = skeleton.joints if self.joints is None else self.joints
        skeleton.indices(names)
        root = skeleton.joints[skeleton.root]
        kept = tuple(n for n in skeleton.joints if n in names and not (n == root and self.root == "left out"))
        if len(kept) < 3 or len(set(names)) < len(names):
            raise RecipeError(f"protocol: wanted three or more joints, each named once, got {', '.join(names)}")
        return kept

    def correct_joints(self, skeleton: Skeleton) -> tuple[str, ...]:
        """Return the names of the joints of PCK and AUC, in the skeleton's order.

        Raises:
            SkeletonError: The skeleton lacks one of MPI-INF-3DHP's fourteen.
        """
        if self.pck_joints == "scored":
            return self.scored_joints(skeleton)
        neck = "neck" if "neck" in skeleton else "thorax"  # one point, by the skeleton's words
        limbs = {skeleton.joints[joint] for limb in skeleton.limbs for joint in limb}
        if len(limbs) != 12 or neck not in skeleton or "head_top" not in skeleton:
            raise SkeletonError(
                f"{skeleton.name} lacks some of MPI-INF-3DHP's fourteen joints; use pck_joints='scored'"
            )
        return tuple(name for name in skeleton.joints if name in limbs | {neck, "head_top"})


def videopose3d() -> BenchmarkProtocol:
    """Return the protocol of VideoPose3D (Pavllo et al. 2019) on Human3.6M, also of PoseFormer and PoseFormerV2.

    Source: VideoPose3D run.py `evaluate`: the predicted root is not set to 0, flip averaging, exact P-MPJPE, means over
    frames within each action, velocities weighted by frames, unweighted mean over actions.
    """
    return BenchmarkProtocol(flip_average=True, velocity_weight="frames")


def convformer() -> BenchmarkProtocol:
    """Return the protocol of ConvFormer (Diaz-Arias and Shin 2023) on Human3.6M.

    Source: the paper names MPJPE, P-MPJPE and MPJVE (its "Protocol III"). There is no official code; for the rest we
    assume VideoPose3D's protocol, as the paper uses its schedule.
    """
    return videopose3d()


def mixste() -> BenchmarkProtocol:
    """Return the protocol of MixSTE (Zhang et al. 2022) and KTPFormer on Human3.6M: windows one after the other.

    Source: MixSTE run.py `eval_data_prepare` and `evaluate`.
    """
    return replace(videopose3d(), frames="clips")


def posessm(*, as_published: bool = False) -> BenchmarkProtocol:
    """Return the protocol of PoseSSM (AAAI 2025) on Human3.6M; others of MHFormer's line differ in the batch size.

    Args:
        as_published: P-MPJPE as the mean of batches of 512, and the weights of the epoch best on the test subjects.

    Source: PoseSSM main.py and common/utils.py: root set to 0 and counted, flip averaging, mean over
    actions without weights.
    """
    protocol = BenchmarkProtocol(flip_average=True, root="zeroed")
    return _mhformer_quirks(protocol, 512) if as_published else protocol


def htnet(*, as_published: bool = False) -> BenchmarkProtocol:
    """Return the protocol of HTNet (Cai et al. 2023) on Human3.6M; the same as PoseSSM's.

    Args:
        as_published: P-MPJPE as the mean of batches of 512, and the weights of the epoch best on the test subjects.
    """
    return posessm(as_published=as_published)


def nanohtnet(*, as_published: bool = False) -> BenchmarkProtocol:
    """Return the protocol of NanoHTNet (Cai et al. 2025) on Human3.6M: as PoseSSM's, for its middle output frame.

    Args:
        as_published: P-MPJPE as the mean of batches of 256, and the weights of the epoch best on the test subjects.
    """
    protocol = posessm()
    return _mhformer_quirks(protocol, 256) if as_published else protocol


def motionbert(*, as_published: bool = False) -> BenchmarkProtocol:
    """Return the protocol of MotionBERT (Zhu et al. 2023), MotionAGFormer, TCPFormer and PoseMamba on Human3.6M.

    Even so, their numbers are not comparable with others: they have other keypoints (Stacked Hourglass with scores) and
    another truth (2.5D), and leave out the frames after a recording's last whole clip.

    Args:
        as_published: Oracle scale, three sequences of S9 dropped, the weights of the epoch best on the test subjects.

    Source: MotionBERT train.py `evaluate`: both sides relative to the root, mean over frames within each action.
    """
    protocol = BenchmarkProtocol(flip_average=True, root="moved", frames="clips")
    if not as_published:
        return protocol
    return replace(protocol, scale="oracle", drop=MOTIONBERT_DROPS, checkpoint="best on test")


def p_stmo_3dhp() -> BenchmarkProtocol:
    """Return the protocol of P-STMO (Shan et al. 2022), PoseFormerV2, MotionAGFormer and TCPFormer on MPI-INF-3DHP.

    It scores valid frames: PCK and AUC over fourteen joints, MPJPE over all with the root at 0, each as the unweighted
    mean over the six sequences. Their training logs show ``replace(p_stmo_3dhp(), average="frames")`` instead.

    Source: P-STMO run_3dhp.py; MPI-INF-3DHP's `mpii_test_predictions.m`.
    """
    return BenchmarkProtocol(flip_average=True, root="zeroed", average="sequences", pck_joints="fourteen")


def posessm_3dhp(*, as_published: bool = False) -> BenchmarkProtocol:
    """Return the protocol of PoseSSM on MPI-INF-3DHP: PCK and AUC over all joints, the zeroed root too; frames pooled.

    Args:
        as_published: The weights of the epoch best on the test subjects.

    Source: PoseSSM common/utils.py `test_calculation`, `compute_PCK` and `compute_AUC`.
    """
    protocol = BenchmarkProtocol(flip_average=True, root="zeroed", average="frames")
    return replace(protocol, checkpoint="best on test") if as_published else protocol


def humaneva() -> BenchmarkProtocol:
    """Return the protocol of VideoPose3D on HumanEva-I: the mean over Walking, Jog and Box of each of S1, S2 and S3.

    Source: VideoPose3D run.py with `--by-subject`; papers print P-MPJPE of the nine cells and their mean.
    """
    return replace(videopose3d(), average="subjects x actions")


def humaneva_nanohtnet(*, as_published: bool = False) -> BenchmarkProtocol:
    """Return the protocol of NanoHTNet on HumanEva-I: the same cells, with the root set to 0.

    Args:
        as_published: P-MPJPE as the mean of batches of 256, and the weights of the epoch best on the test subjects.
    """
    return replace(nanohtnet(as_published=as_published), average="subjects x actions")


def _mhformer_quirks(protocol: BenchmarkProtocol, batch: int) -> BenchmarkProtocol:
    return replace(protocol, p_mpjpe="mean of batch", batch=batch, checkpoint="best on test")


PROTOCOLS: dict[str, Callable[..., BenchmarkProtocol]] = {
    made.__name__: made
    for made in (
        videopose3d, convformer, mixste, posessm, htnet, nanohtnet, motionbert, p_stmo_3dhp, posessm_3dhp, humaneva,
        humaneva_nanohtnet,
    )
}  # fmt: skip
"""The named protocols."""
