"""Images larger than the network's input: its outputs all over them (`scanning`), lines made of
digits (`synthetic`), and their decoder (`decoder`).
"""
