"""What a run leaves behind: videos, tracks, readings, a page."""
