"""Images larger than the network's input, and lines of several digits.

Read `scanning` first: the scores of a network moved over an image. `decoder` finds the digits of a
line in them, `synthetic` makes lines and training images from single digits.
"""
