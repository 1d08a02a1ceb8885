"""Training arrays made of raw data sets."""
