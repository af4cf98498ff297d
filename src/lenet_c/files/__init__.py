"""Formats: safetensors, npy, zip, IDX; and `safe_files`, which replaces a file in one step."""
