"""The typed loops, without Python; README.md lists them by layer, `network.pxi` joins them."""
