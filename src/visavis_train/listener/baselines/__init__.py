"""Baselines that react to a speaker's clip, also small ones after published systems."""
