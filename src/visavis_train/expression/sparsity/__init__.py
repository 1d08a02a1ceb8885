"""Studies of token pruning: what it keeps, costs and saves."""
