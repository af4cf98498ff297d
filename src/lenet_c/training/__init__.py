"""Training: `loop` goes through the epochs and `updates` through their steps; `recipe` has the
constants of an update rule, `defaults` those of each network; `checkpoint` is what `resume` reads.
"""
