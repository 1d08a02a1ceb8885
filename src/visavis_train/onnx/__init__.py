"""Networks as ONNX files: export, half precision, import."""
