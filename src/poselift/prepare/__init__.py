"""From anybody's 2D keypoints to what a lifter is fed."""
