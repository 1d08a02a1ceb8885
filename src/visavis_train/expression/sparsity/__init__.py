"""What token pruning keeps, costs and saves."""
