"""Networks as ONNX graphs and back; ONNX itself is imported where it is used."""
