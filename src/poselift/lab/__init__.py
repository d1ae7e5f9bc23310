"""Torch side of poselift: models, training, export. Needs the `lab` extra."""
