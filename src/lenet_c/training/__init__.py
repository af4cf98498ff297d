"""Training: `loop` goes through the epochs, `updates` through the steps, `recipe` holds the
constants.
"""
