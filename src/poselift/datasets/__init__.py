"""Read recorded motion from files and archives into clips of 3D joints."""
