"""Quantisation of 32-bit networks to 8 or 4 bits, and what it costs."""
