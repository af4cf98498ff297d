"""Two writers of one model: the second is refused, a callback is not."""

import threading

import numpy as np
import pytest
from thread_case import SECONDS, bits, run, sample, together

from lenet_c import LeNet5


def in_the_middle(model, work):
    """Call `work` while another thread has ended the first epoch of a `fit`; return its result."""
    begun, go_on = threading.Event(), threading.Event()

    def callback(model, record):
        begun.set()
        assert go_on.wait(SECONDS)

    def other():
        try:
            assert begun.wait(SECONDS)
            return work()
        finally:
            go_on.set()

    def train():
        model.fit(*sample(), epochs=2, callbacks=[callback], threads=2, progress=False)

    return together(train, other)[1]


WRITES = {
    "fit": lambda model: model.fit(*sample(), epochs=1, progress=False),
    "partial_fit": lambda model: model.partial_fit(*sample()),
    "set_parameters": lambda model: model.set_parameters({"c1.bias": np.ones(6)}),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_second_writer_is_refused(write):
    model, twin = LeNet5(seed=1), LeNet5(seed=1)

    def work():
        with pytest.raises(RuntimeError, match="being trained or set by another thread"):
            WRITES[write](model)
        return True

    assert in_the_middle(model, work)
    twin.fit(*sample(), epochs=2, progress=False)
    assert bits(model) == bits(twin)
    WRITES[write](model)  # afterwards it may
    assert bits(model) != bits(twin)


@pytest.mark.parametrize("write", WRITES)
def test_a_callback_may_write(write):
    model = LeNet5(seed=1)
    seen = []

    def callback(model, record):
        WRITES[write](model)
        seen.append(bits(model))

    model.fit(*sample(), epochs=1, callbacks=[callback], progress=False)
    assert seen == [bits(model)]


def test_a_model_is_free_after_an_error():
    model = LeNet5(seed=1)

    def stop(model, record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(*sample(), epochs=1, callbacks=[stop], progress=False)
    together(lambda: model.partial_fit(*sample()))


def test_labels_that_change_after_the_check():
    """Were they not copied, a label of 10**6 would be written to where no memory is."""
    code = """
    import threading
    import numpy as np
    from lenet_c import LeNet5

    labels, over = np.zeros(20000, np.int64), threading.Event()
    images = np.zeros((20000, 28, 28), np.uint8)

    def change():
        while not over.is_set():
            labels[:] = 10**9
            labels[:] = 0

    thread = threading.Thread(target=change)
    thread.start()
    for options in ({}, {"batch_size": 1, "learning_rate": 1e-4}):
        for _ in range(4):
            try:
                LeNet5().fit(images, labels, epochs=1, threads=2, progress=False, **options)
            except ValueError:
                pass
    over.set()
    thread.join()
    print("done")
    """
    assert run(code) == "done\n"
