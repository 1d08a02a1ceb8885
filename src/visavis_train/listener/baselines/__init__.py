"""Baselines that react to a speaker's clip, and small peers after published systems."""
