"""What a network is: `config` (fields, presets), `parameters` (what is trained and predicted with),
`scores` (what the output layer says), `layer_table`, `first_weights`, `report`; images and labels
that are handed in are checked in `inputs`.
"""
