"""Measurements: of expressions, of faces, of the mirror, of listeners, of speed."""
