"""Digits, and results compared by their bits."""

import functools

import lenet_c


@functools.cache
def digits():
    """Return 12 images uint8 (n, 28, 28) and their labels."""
    images, labels = lenet_c.datasets.load_sample("test")
    return images[:12], labels[:12]


def assert_same(got, want):
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    assert got.tobytes() == want.tobytes()
