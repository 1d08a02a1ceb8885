"""Answers and truth as arrays in, figures out: numpy alone."""
