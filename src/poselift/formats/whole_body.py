"""Take the body out of joint orders of body, face and hands."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from poselift.skeleton import BODY_25B, COCO_23, COCO_24, HALPE_26, Skeleton

_log = logging.getLogger("poselift")


@dataclass(frozen=True)
class WholeBody:
    """A joint order with face and hands."""

    name: str
    """Name in messages."""
    body: Skeleton
    """The skeleton of its body."""
    places: tuple[int, ...]
    """Index of each joint of the body in it."""


def _first(name: str, body: Skeleton) -> WholeBody:
    """Return an order that begins with the body."""
    return WholeBody(name, body, tuple(range(len(body))))


WHOLE_BODIES = {
    133: _first("COCO-WholeBody", COCO_23),
    134: _first("COCO-WholeBody in OpenPose's order", COCO_24),
    135: _first("OpenPose's BODY_135", BODY_25B),
    136: _first("Halpe's full body", HALPE_26),
    # Its wrists are the last joints of its hands.
    70: WholeBody("the order of SAM 3D Body", COCO_23, (*range(9), 62, 41, *range(9, 21))),
}
"""Orders by number of joints."""


def take_body(
    people: Sequence[np.ndarray], name: str, wanted: Skeleton | None
) -> tuple[Sequence[np.ndarray], Skeleton | None]:
    """Return the joints of the body and its skeleton; people without joints of face and hands are left as they are.

    Args:
        people: (T, J, 2 or 3) of each person.
        name: Name of the data in messages.
        wanted: The skeleton that the user names; where it has as many joints as the people, nothing is taken out.
    """
    joints = np.shape(people[0])[1] if np.ndim(people[0]) == 3 else 0
    whole = WHOLE_BODIES.get(joints)
    if whole is None or (wanted is not None and len(wanted) == joints):
        return people, None
    _log.info(
        "%s: %d joints are %s; its body is taken as %s, without face and hands",
        name,
        joints,
        whole.name,
        whole.body.name,
    )
    return [np.asarray(person)[:, whole.places] for person in people], whole.body
