"""The version of poselift, which files that it writes hold."""

__version__ = "0.1.0"
