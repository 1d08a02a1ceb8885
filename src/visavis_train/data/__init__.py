"""Raw data sets in, training arrays out."""
