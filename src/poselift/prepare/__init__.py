"""Turn 2D keypoints from any source into a lifter's input."""
