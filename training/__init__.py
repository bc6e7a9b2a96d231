"""How the weights of the embedded default are made: shapes, pictures, network, training.

Owns everything between a seed and an ONNX file. The product never imports it.
"""
