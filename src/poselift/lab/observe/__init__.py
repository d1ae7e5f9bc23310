"""What a camera and a 2D detector make of a moving body."""
