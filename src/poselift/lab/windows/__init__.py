"""Training windows: from motion capture, benchmarks and recordings of one's own."""
