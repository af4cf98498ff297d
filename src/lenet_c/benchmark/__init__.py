"""lenet-c measured beside NumPy on this machine.

Read `measure` first: what is compared. `competitors` are the programs that are compared, `checks`
makes sure that they compute the same, `timing` takes the time.
"""
