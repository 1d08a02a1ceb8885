"""Listeners that react to a person, and the face tokens that they use."""
