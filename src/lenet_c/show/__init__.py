"""Pictures on Matplotlib's axes and in the terminal, one file a picture; `style` is what they
share.
"""
