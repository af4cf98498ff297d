"""Formats of files, each read as if it were hostile: safetensors, .npy, zip archives and IDX.

Read `safe_files` first: it replaces a file in one step, so that readers never see half of one.
"""
