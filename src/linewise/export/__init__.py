"""Trained networks as ONNX files, checked against torch when they are written."""
