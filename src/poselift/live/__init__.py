"""Lifting as the frames come: `LiveLifter` takes keypoints, and the rest of the room brings them in and sends poses out."""

from poselift.live.lifter import Counts, LiveLifter

__all__ = ["Counts", "LiveLifter"]
