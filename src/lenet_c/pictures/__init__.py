"""Photographs and drawings to MNIST's form: `ink` finds the marks, `mnist_form` scales and centres
them.
"""
