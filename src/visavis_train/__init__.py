"""Research side of visavis: data, training and export. Torch lives only here."""
