"""benchmarks/torch_training.py: what is for a CUDA device, with a stand-in for the device."""

import contextlib

import pytest

torch = pytest.importorskip("torch")
torch_training = pytest.importorskip("torch_training", reason="no benchmarks beside these tests")


class Stream:
    def wait_stream(self, other):
        assert isinstance(other, Stream)


class Graph:
    """Keeps the update that is captured, which is not run then, and runs it when replayed."""

    def replay(self):
        self.update()


@pytest.fixture(params=["cuda", "graph"])
def form(request, monkeypatch):
    kind = torch_training.contestant(request.param)

    @contextlib.contextmanager
    def capture(graph):
        update = kind._update

        def keep(self, *args):
            assert all(value.grad is None for value in self.params.values())
            graph.update = lambda: update(self, *args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kind, "_update", keep)
            yield

    stand_in = {
        "Stream": Stream,
        "current_stream": Stream,
        "stream": lambda stream: contextlib.nullcontext(),
        "CUDAGraph": Graph,
        "graph": capture,
        "synchronize": lambda: None,
        "is_available": lambda: True,
        "get_device_name": lambda number: "none",
    }
    for name, what in stand_in.items():
        monkeypatch.setattr(torch.cuda, name, what)
    monkeypatch.setattr(kind, "device", "cpu")
    monkeypatch.setattr(torch_training, "contestant", lambda form: kind)
    return request.param


def test_the_weights_are_those_of_lenet_c(form):
    """After three updates, those that warmed a graph up left out."""
    options = torch_training.parse(["--form", form, "--batches", "16,64", "--seconds", "1"])
    facts, *figures = torch_training.measure(options)
    assert facts["card"] == "none"
    assert [found["batch"] for found in figures] == [16, 64]
    assert figures[0]["differs"] is None
    assert all(found["median"] > 0 for found in figures)
