"""Frames in, tracked faces out."""
