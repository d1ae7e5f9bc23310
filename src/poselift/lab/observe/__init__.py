"""Synthetic observations: what a camera and a 2D detector see of a moving body."""
