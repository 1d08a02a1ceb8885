"""Tracking faces."""
