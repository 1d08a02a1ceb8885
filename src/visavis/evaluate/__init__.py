"""Measurements of expressions, faces, the mirror, listeners and speed."""
