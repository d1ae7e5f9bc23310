"""A simple body to look at: rounded limbs around the bones of a figure."""

from dataclasses import dataclass

import numpy as np

from poselift.formats.rigs.figure import Figure, Joint
from poselift.geometry.body import LEFT, UP
from poselift.geometry.rotation import frame_from_axes

_AROUND, _CAP = 12, 4
_RADII = {
    # (at its start, at its end, across from front to back by that from side to side), by the width of the shoulders
    "hips": (0.44, 0.38, 0.66),
    "trunk": (0.37, 0.42, 0.6),
    "neck": (0.17, 0.16, 1.0),
    "head": (0.22, 0.29, 1.15),
    "clavicle": (0.16, 0.16, 1.0),
    "upper_arm": (0.15, 0.115, 1.0),
    "lower_arm": (0.115, 0.08, 1.0),
    "hand": (0.085, 0.06, 0.6),
    "hip_joint": (0.2, 0.22, 1.0),
    "upper_leg": (0.23, 0.15, 1.0),
    "lower_leg": (0.15, 0.095, 1.0),
    "foot": (0.11, 0.11, 1.0),
    "toes": (0.1, 0.09, 1.0),
}
GROUPS = ("middle", "left", "right")
"""Parts of the body with a material each."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """A closed surface that moves with the joints of a figure."""

    points: np.ndarray
    """(N, 3) float32 metres, at rest."""
    normals: np.ndarray
    """(N, 3) float32."""
    joints: np.ndarray
    """(N, 4) uint8: the joints that move each point; only the first two matter."""
    weights: np.ndarray
    """(N, 4) float32: how much each of them does; the sum is 1."""
    triangles: dict[str, np.ndarray]
    """(M, 3) uint16 corners of the triangles of each of `GROUPS`, seen from outside against the clock."""


def body_mesh(figure: Figure) -> Mesh:
    """Return rounded limbs around the bones of a figure at rest."""
    rest = figure.body.rest
    width = float(np.linalg.norm(rest["left_shoulder"] - rest["right_shoulder"]))
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("points", "normals", "joints", "weights")}
    triangles: dict[str, list[np.ndarray]] = {group: [] for group in GROUPS}
    count = 0
    for index, joint in enumerate(figure.joints):
        if joint.part not in _RADII:
            continue
        start, end = _ends(joint, figure, width)
        radii = [width * radius for radius in _RADII[joint.part][:2]]
        points, normals, share = _limb(start, end, radii, _RADII[joint.part][2])
        soft = joint.part in ("trunk", "neck") and joint.parent >= 0
        above = np.where(share <= 0, 0.5, 0.0) if soft else np.zeros(len(share))
        parts["points"].append(points)
        parts["normals"].append(normals)
        movers = np.where(above[:, None] > 0, [index, joint.parent, 0, 0], [index, 0, 0, 0])
        parts["joints"].append(movers)
        parts["weights"].append(np.stack([1 - above, above, 0 * above, 0 * above], axis=1))
        triangles[joint.side or "middle"].append(_grid(len(points) // _AROUND) + count)
        count += len(points)
    kinds = {"points": np.float32, "normals": np.float32, "joints": np.uint8, "weights": np.float32}
    arrays = {name: np.concatenate(found).astype(kinds[name]) for name, found in parts.items()}
    return Mesh(
        **arrays, triangles={name: np.concatenate(found).astype(np.uint16) for name, found in triangles.items()}
    )


def _ends(joint: Joint, figure: Figure, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Return where the limb around a joint's bone starts and ends at rest, (3,) each."""
    sole = _RADII["foot"][0] * width * UP
    if joint.part == "foot":
        rest = figure.body.rest
        heel = joint.rest + rest[f"{joint.side}_heel"] - rest[f"{joint.side}_ankle"]
        return heel + sole, joint.rest + joint.end * (1, 1, 0.8) + sole
    if joint.part == "toes":
        return joint.rest + sole, joint.rest + joint.end + sole
    if joint.part == "hips":
        return joint.rest - 0.1 * joint.end, joint.rest + joint.end
    if joint.part == "head":
        return joint.rest + 0.2 * joint.end, joint.rest + 0.6 * joint.end
    return joint.rest, joint.rest + joint.end


def _limb(start: np.ndarray, end: np.ndarray, radii: list[float], flat: float) -> tuple[np.ndarray, ...]:
    """Return points and normals (N, 3) of a rounded cone, and (N,) how far along it each is: 0 at its start."""
    axis = end - start
    length = float(np.linalg.norm(axis))
    side = LEFT if abs(axis[0]) < 0.7 * length else UP
    frames, _ = frame_from_axes(axis[None], side[None])
    along, across, third = frames[0].T
    bends = np.linspace(0, np.pi / 2, _CAP + 1)
    # one row a ring: place along the axis, radius, and the normal's part along the axis
    rings = [(-radii[0] * np.cos(b), radii[0] * np.sin(b), -np.cos(b)) for b in bends]
    rings += [(length + radii[1] * np.sin(b), radii[1] * np.cos(b), np.sin(b)) for b in bends]
    place, radius, lean = np.array(rings).T
    turns = np.arange(_AROUND) * 2 * np.pi / _AROUND
    circle = np.cos(turns)[:, None] * across + flat * np.sin(turns)[:, None] * third
    out = np.cos(turns)[:, None] * across + np.sin(turns)[:, None] / flat * third
    out /= np.linalg.norm(out, axis=-1, keepdims=True)
    points = start + place[:, None, None] * along + radius[:, None, None] * circle
    normals = np.sqrt(1 - lean**2)[:, None, None] * out + lean[:, None, None] * along
    return points.reshape(-1, 3), normals.reshape(-1, 3), np.repeat(place, _AROUND)


def _grid(rings: int) -> np.ndarray:
    """Return the triangles (M, 3) between rings of points, the outside to the front."""
    ring, around = np.meshgrid(np.arange(rings - 1), np.arange(_AROUND), indexing="ij")
    first, second = ring * _AROUND + around, ring * _AROUND + (around + 1) % _AROUND
    quads = np.stack([first, second, second + _AROUND, first, second + _AROUND, first + _AROUND], axis=-1)
    return quads.reshape(-1, 3)
