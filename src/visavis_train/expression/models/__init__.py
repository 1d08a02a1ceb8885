"""Expression networks and their parts."""
