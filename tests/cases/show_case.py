"""What the tests of the pictures share: their names, and kinds of models."""

from lenet_c import LeNet5

DIGITS = [str(k) for k in range(10)]
LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
#: The pictures that are text without --output, each with options that make it quick.
IN_TEXT = {
    "network": (),
    "filters": (),
    "maps": (),
    "confusion": (),
    "errors": (),
    "curves": ("--epochs", "1"),
    "table": (),
    "pooling": (),
}
#: Fields of models that the pictures of a model must be able to show.
KINDS = {
    "rbf": {"preset": "lecun1998"},
    "mnist28": {"preset": "mnist28"},
    "global_average": {"head": "global_average", "subsampling": "lp", "subsampling_p": 3},
    "float64": {"dtype": "float64", "connections": "full"},
    "stochastic": {
        "subsampling": "stochastic",
        "activation": "relu",
        "input_size": 30,
        "border": 1,
    },
}


def make(kind, **fields):
    """A model of a kind, with its first weights."""
    return LeNet5(**({"seed": 1} | KINDS.get(kind, {}) | fields))
