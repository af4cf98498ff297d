"""Lines of several digits, wider than the network's input.

Read `decoder` first: it finds the digits in the scores of a model that is moved over a line.
`synthetic` makes lines and training images from single digits.
"""
