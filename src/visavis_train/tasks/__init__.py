"""Training tasks, one a module."""
