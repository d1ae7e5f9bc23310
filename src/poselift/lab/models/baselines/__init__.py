"""Published lifters of other families, written from their papers, to measure ours against."""
