"""Expressions of faces."""
