"""A model in a file: `model_files` has configuration, parameters and metadata; the formats are
safetensors, of the room files, and .npz (`npz`).
"""
