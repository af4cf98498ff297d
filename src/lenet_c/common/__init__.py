"""What every room may use, and what uses no other room: errors, messages, JSON, numbers, paths.

Read `errors` first, then `progress`. `old_names` lets pickles of earlier versions be opened.
"""
