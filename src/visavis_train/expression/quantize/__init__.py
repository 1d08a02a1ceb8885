"""A network in 32 bits in; the same one in 8 or 4 bits, and what that costs, out."""
