"""What a network is, before it is trained.

Read `config` first: the fields of a configuration, and the presets. `parameters` is what is trained
and predicted with, `scores` what the output layer says, `inputs` checks images and labels.
"""
