"""The typed boundary: `engine` checks arrays, releases the GIL and calls the kernels; `choose` says
which build of them.
"""
