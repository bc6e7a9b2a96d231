"""How the weights of the embedded default are made: shapes, pictures of them, a network, its training.

Owns everything between a seed and an ONNX file. The product never imports it.
"""
