"""The research side of visavis: data, training and export. Only this package uses torch."""

from visavis import __version__ as __version__  # First of all: it keeps ONNX Runtime from reporting.
