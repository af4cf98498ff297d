"""Pictures of networks and of what they learn, drawn by Matplotlib or as text.

One file a picture: a function `draw` and a function `text`. Read `style` first for what all
drawings share, and `terminal` for the texts.
"""
