"""Tracking: turns detections, which list each frame's people in no order, into one track for each person."""

from poselift.track.clip import Track, track_clip, track_people
from poselift.track.step import PATIENCE_S, Ids, Tracker

__all__ = ["PATIENCE_S", "Ids", "Track", "Tracker", "track_clip", "track_people"]
