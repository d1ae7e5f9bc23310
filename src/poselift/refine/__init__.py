"""Refinement of lifted poses: each step takes poses and returns poses with a report of what it changed."""
