"""Research side of visavis: data, training and export. Torch lives only here."""

from visavis import __version__ as __version__  # First of all: it keeps ONNX Runtime from reporting.
