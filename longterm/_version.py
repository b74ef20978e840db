"""The version of longterm: here, and nowhere else."""

__version__ = "0.2.0"
