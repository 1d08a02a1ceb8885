"""Motions and expressions of an avatar over time, as Live2D's files hold them."""
