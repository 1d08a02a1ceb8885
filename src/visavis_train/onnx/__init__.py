"""Networks as ONNX files: export, half precision, reading back."""
