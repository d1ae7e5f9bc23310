"""Tracking: turns detections, which list each frame's people in no order, into one track for each person.

`Tracker` sees one frame after the other, as in a stream. `track_clip` goes over a whole clip with it, and then decides
with the frames after each meeting and each gap what was doubtful. Both use keypoints alone, of any skeleton. Distances
are in units of a person's size and times in seconds, so that neither the resolution, nor the distance to the camera,
nor the frame rate matters. Where the source numbers its people, and different people have different numbers, these
decide.
"""

from poselift.track.clip import Track, track_clip
from poselift.track.people import Followed, absences, followed, track_people
from poselift.track.step import PATIENCE_S, Ids, Tracker

__all__ = [
    "PATIENCE_S",
    "Followed",
    "Ids",
    "Track",
    "Tracker",
    "absences",
    "followed",
    "track_clip",
    "track_people",
]
