"""What a network is, before it is trained.

Read `config` first: the fields of a configuration, and the presets. `layer_table` lists the layers
of one, `first_weights` draws their weights, `inputs` checks the images and labels it is given.
"""
