"""Lift 2D keypoints or video to 3D human motion."""
