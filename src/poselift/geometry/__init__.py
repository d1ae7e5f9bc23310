"""Cameras, rotations and alignment."""
