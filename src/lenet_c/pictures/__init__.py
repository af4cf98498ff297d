"""Photographs and drawings, made into images like those of MNIST, without a model.

Read `photographs` first: `levels` opens a picture, `paper_sheet` finds the sheet in it, `ink` the
marks on the sheet, `mnist_form` scales and centres each. `drawings` does without SciPy.
"""
