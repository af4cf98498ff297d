"""The command line: a training that does not learn is told as a line, and ends with a sentence."""

import threading
import warnings

import pytest

from lenet_c import LeNet5, TrainingWarning
from lenet_c.cli import main
from lenet_c.reproduce import paper_figures

NOT_LEARNT = "this network has not learnt: its test error is no better than guessing, or hardly ("


@pytest.fixture(autouse=True)
def the_sample_alone(monkeypatch, tmp_path):
    monkeypatch.delenv("LENET_C_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def train(tmp_path, *options):
    output = str(tmp_path / "model.safetensors")
    return main(["train", "--output", output, "--threads", "1", *options])


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_a_training_that_does_not_learn(tmp_path, capsys, quiet):
    assert train(tmp_path, "--epochs", "4", "--learning-rate", "1", *quiet) == 0
    out, err = capsys.readouterr()
    assert err.startswith("warning: training does not learn: after epoch 3 the loss has grown to")
    assert "the learning rate 1 may be too high" in err
    assert err.count("\n") == 1  # no file, no line of source
    lines = out.splitlines()
    assert lines[-1].startswith(NOT_LEARNT) and "guessing 90.00 %" in lines[-1]
    assert lines[-2].startswith("model saved in")
    assert lines[-3].startswith("test error 9") or lines[-3].startswith("test error 8")
    assert len(lines) == 3 or not quiet


def test_a_training_that_learns(tmp_path, capsys):
    assert train(tmp_path, "--epochs", "2") == 0
    out, err = capsys.readouterr()
    assert not err
    assert "has not learnt" not in out


def test_a_finished_training_has_told_it_and_is_at_chance_still(tmp_path, capsys):
    options = ("--epochs", "2", "--learning-rate", "1000", "--quiet")
    assert train(tmp_path, *options) == 0
    assert capsys.readouterr().err.startswith("warning: training does not learn")
    assert train(tmp_path, *options, "--resume") == 0
    out, err = capsys.readouterr()
    assert not err
    assert out.splitlines()[-1].startswith(NOT_LEARNT)


@pytest.mark.parametrize("action", ["error", "ignore"])
def test_filters_of_warnings_do_not_matter(tmp_path, capsys, action):
    with warnings.catch_warnings():
        warnings.simplefilter(action)
        assert train(tmp_path, "--epochs", "1", "--learning-rate", "1000") == 0
    assert capsys.readouterr().err.startswith("warning: training does not learn")


def test_reproduce_tells_it_from_its_threads(tmp_path, capsys, monkeypatch):
    def run(*given, **named):
        def work():
            warnings.warn("training does not learn: \x1b", TrainingWarning, stacklevel=1)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return paper_figures.Outcome({}, [])

    (tmp_path / "data").mkdir()
    monkeypatch.setattr("lenet_c.cli.data_sources.Source.load", lambda self, split: ((), ()))
    monkeypatch.setattr(paper_figures, "run", run)
    folder = str(tmp_path / "out")
    assert main(["reproduce", "--data", str(tmp_path / "data"), "--output", folder]) == 0
    assert "warning: training does not learn: \\x1b\n" in capsys.readouterr().err


def test_other_warnings_are_as_ever(tmp_path, monkeypatch):
    fit = LeNet5.fit

    def warning(self, *given, **named):
        warnings.warn("another", UserWarning, stacklevel=1)
        return fit(self, *given, **named)

    monkeypatch.setattr(LeNet5, "fit", warning)
    with pytest.warns(UserWarning, match="another"):
        train(tmp_path, "--epochs", "1")
