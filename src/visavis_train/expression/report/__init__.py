"""Tables and figures of expression runs."""
