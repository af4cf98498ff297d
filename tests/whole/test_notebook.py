"""examples/lenet5.ipynb: its cells run, their assertions hold, and they draw something."""

import base64
import json
import re
import struct

import numpy as np
import pytest
from places import ROOT
from thread_case import SECONDS

NOTEBOOK = ROOT / "examples" / "lenet5.ipynb"
MOST_BYTES = 300_000
LEAST_INK = 0.02  # share of a figure's pixels that are not its background


@pytest.fixture(scope="module")
def notebook():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def drawn(notebook):
    """Run the cells in one namespace, without Jupyter; return the figures' pixels by the cells."""
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.use("Agg")
        from matplotlib import pyplot as plt

        plt.close("all")
        scope, pictures = {"__name__": "__main__"}, {}
        for cell in _code(notebook):
            exec(compile("".join(cell["source"]), f"{NOTEBOOK}:{cell['id']}", "exec"), scope)
            pictures[cell["id"]] = [_pixels(plt.figure(number)) for number in plt.get_fignums()]
            plt.close("all")
    return pictures


def _code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _pixels(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()


@pytest.mark.slow
def test_cells_run_and_draw(drawn):
    figures = [picture for pictures in drawn.values() for picture in pictures]
    assert len(figures) >= 12
    for name, pictures in drawn.items():
        for picture in pictures:
            assert (picture != picture[0, 0]).any(2).mean() > LEAST_INK, f"{name}: a blank figure"


@pytest.mark.slow
def test_the_outputs_kept_are_those_of_these_cells(notebook, drawn):
    for number, cell in enumerate(_code(notebook), 1):
        assert cell["execution_count"] == number, f"{cell['id']}: run the notebook from the top"
        pictures = [data for data in _data(cell) if "image/png" in data]
        assert len(pictures) == len(drawn[cell["id"]]), cell["id"]
        prints = any("print(" in line for line in cell["source"])
        texts = [output for output in cell["outputs"] if output["output_type"] == "stream"]
        assert [output["name"] for output in texts] == ["stdout"] * prints, cell["id"]


def _data(cell):
    kinds = {output["output_type"] for output in cell["outputs"]}
    assert kinds <= {"stream", "display_data"}, f"{cell['id']}: {kinds}"
    return [output["data"] for output in cell["outputs"] if "data" in output]


def test_it_is_small_and_says_nothing_of_where_it_was_made(notebook):
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text.encode()) <= MOST_BYTES
    assert not re.search(r"/(?:home|tmp|work|Users|root)/", text)
    assert set(notebook["metadata"]) <= {"kernelspec", "language_info"}
    for cell in notebook["cells"]:
        assert not cell["metadata"], cell["id"]
        for data in _data(cell) if cell["cell_type"] == "code" else ():
            width, height = struct.unpack(">II", base64.b64decode(data["image/png"])[16:24])
            assert max(width, height) <= 800, cell["id"]


def test_it_is_a_valid_notebook(notebook):
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbformat.validate(notebook)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    names = [cell["id"] for cell in notebook["cells"]]
    assert len(set(names)) == len(names)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of Jupyter's own packages
def test_jupyter_runs_it(drawn, tmp_path):
    reason = "takes nbclient and ipykernel"
    nbclient = pytest.importorskip("nbclient", reason=reason)
    pytest.importorskip("ipykernel", reason=reason)
    import nbformat

    fresh = nbformat.read(NOTEBOOK, as_version=4)
    for cell in _code(fresh):
        cell["outputs"] = []
    folder = {"metadata": {"path": str(tmp_path)}}
    client = nbclient.NotebookClient(
        fresh, timeout=SECONDS, kernel_name="python3", resources=folder
    )
    client.execute()
    for cell in _code(fresh):
        pictures = [data for data in _data(cell) if "image/png" in data]
        assert len(pictures) == len(drawn[cell["id"]]), cell["id"]
    assert not list(tmp_path.iterdir())
