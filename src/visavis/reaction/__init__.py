"""Faces in, tokens out, and back: what a listener speaks in."""
