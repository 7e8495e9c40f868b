"""The project: settings, front door, checks, health. Here stands the version number, and nowhere else."""

__version__ = "0.1.0"
