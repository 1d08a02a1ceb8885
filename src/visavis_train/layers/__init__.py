"""Layers that networks of several rooms are built from."""
