"""Recorded motion: files and archives to clips of 3D joints."""
