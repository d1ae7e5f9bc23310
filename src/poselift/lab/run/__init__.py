"""A run: its recipe, its folder, its loop, and what it costs."""
