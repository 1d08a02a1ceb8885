"""A speaker's clip in, reactions to it out: baselines, and small peers after published systems."""
