"""Lifting while the frames come: `LiveLifter` takes keypoints, and the rest of the room sends poses on."""

from poselift.live.lifter import Counts, LiveLifter

__all__ = ["Counts", "LiveLifter"]
