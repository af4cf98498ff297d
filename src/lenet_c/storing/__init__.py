"""A model in a file: configuration, parameters, metadata, as safetensors (`model_files`) or .npz
(`npz`).
"""
