"""Emotions of faces."""
