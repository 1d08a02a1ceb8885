"""Metrics on arrays; only numpy is needed, and numba for reactions."""
