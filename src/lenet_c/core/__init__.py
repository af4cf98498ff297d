"""The typed boundary between Python and the kernels.

Read `engine.pyx` first: it checks arrays, releases the GIL and calls the kernels. `choose` says
which build of the kernels is taken, `threads` how many threads, `show_config` tells both.
"""
