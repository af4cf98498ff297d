"""Images larger than the network's input: lines made of digits (`synthetic`), and their decoder
(`decoder`).
"""
