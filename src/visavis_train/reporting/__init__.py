"""Runs in; their figures, tables, charts and page beside the first paper's out."""
