"""lenet-c beside others on this machine: `measure` runs them, `competitors` are they, `timing` is
the clock.
"""
