"""Results of a run: videos, tracks, readings and a page."""
