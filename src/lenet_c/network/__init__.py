"""What a network is: `config` (fields, presets), `layer_table`, `first_weights`; what is handed in
is checked in `inputs`.
"""
