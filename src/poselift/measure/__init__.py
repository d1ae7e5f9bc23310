"""How good a lifter is, and how fast: metrics, protocols, benchmarks, and the claims on its card."""
