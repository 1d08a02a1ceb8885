"""Answers and truth as arrays in, figures out: numpy, and numba for reactions, alone."""
