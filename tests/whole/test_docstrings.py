"""Docstrings of all that is public, by numpydoc; their errors, their examples; no other names."""

import ast
import contextlib
import doctest
import functools
import importlib
import inspect
import sys
import types
from pathlib import Path

import pytest
from docstring_case import raised

import lenet_c

PACKAGE = Path(lenet_c.__file__).parent
MODULES = "codes datasets export idx images layers reading recipes reproduce".split()
LEFT_OUT = {  # of numpydoc's checks, and why
    "ES01": "one line may say it all",
    "EX01": "EXAMPLES names what must have one",
    "RT02": "what is returned has a name, as in the formulas",
    "SA01": "the text names what belongs together",
}
EXAMPLES = """
    Config Distortion History LeNet5 LeNetClassifier Recipe Report predict show_config train
    LeNet5.activations LeNet5.evaluate LeNet5.fit LeNet5.loss_and_gradients LeNet5.parameters
    LeNet5.partial_fit LeNet5.predict LeNet5.read LeNet5.recipe LeNet5.scan LeNet5.summary
    Report.rejection_for Report.threshold_for
    datasets.load_folder datasets.load_sample export.to_c export.to_onnx idx.read idx.write
    images.prepare images.read images.read_line
    layers.activation_forward layers.conv_forward layers.dense_forward layers.pool_forward
    layers.rbf_forward layers.softmax_cross_entropy layers.subsample_forward
    reading.digits reading.lines recipes.plan reproduce.plan
""".split()
NOT_RAISED = {  # what the source seems to raise, and why it does not
    ("lenet_c.show_config", "TypeError"): "of the number of threads, which is None",
}


def _public():
    """Return name -> object of all that is public: modules, what they name, members of classes."""
    found = {"lenet_c": lenet_c, **{f"lenet_c.{name}": _door(name) for name in MODULES}}
    for place, module in list(found.items()):
        names = dir(lenet_c) if module is lenet_c else module.__all__
        found |= {f"{place}.{name}": getattr(module, name) for name in names}
    for place, thing in list(found.items()):
        owners = thing.__mro__ if isinstance(thing, type) else ()
        for owner in filter(_is_ours, owners):
            members = {name: m for name, m in vars(owner).items() if name[0] != "_" and _is_ours(m)}
            found |= {f"{place}.{name}": getattr(thing, name) for name in members}
    return found


def _door(name):
    return importlib.import_module(f"lenet_c.{name}")


def _is_ours(thing):  # scikit-learn adds methods to an estimator
    thing = getattr(thing, "fget", thing)
    return (getattr(thing, "__module__", None) or "lenet_c").startswith("lenet_c")


PUBLIC = _public()
KINDS = (type, types.FunctionType, types.MethodType, property, functools.cached_property)
DOCUMENTED = {name: thing for name, thing in PUBLIC.items() if isinstance(thing, KINDS)}
DEFINITIONS = (ast.Module, ast.ClassDef, ast.FunctionDef)
TEXTS = {name: inspect.getdoc(thing) or "" for name, thing in DOCUMENTED.items()}

each_name = pytest.mark.parametrize("name", DOCUMENTED)


@each_name
def test_numpydoc_finds_nothing(name):
    validate = pytest.importorskip("numpydoc.validate").validate
    report = validate(name)
    assert [error for error in report["errors"] if error[0] not in LEFT_OUT] == []


def test_no_source_silences_numpydoc():
    for file in PACKAGE.rglob("*.py"):
        assert "numpydoc ignore" not in file.read_text("utf-8"), file


@each_name
def test_errors_are_documented(name):
    documented = set(_section(TEXTS[name], "Raises").replace(",", " ").split())
    owner = PUBLIC.get(name.rpartition(".")[0])
    missing = {
        error.__name__: place
        for error, place in raised(DOCUMENTED[name], owner).items()
        if not documented & {one.__name__ for one in error.__mro__ if one is not Exception}
        and not place.startswith("lenet_c.core.choose.")  # it fails while lenet_c is imported
        and (name, error.__name__) not in NOT_RAISED
    }
    assert missing == {}


def _section(text, title):
    """Return the lines of a section that are not indented."""
    _, _, rest = text.partition(f"\n{title}\n{'-' * len(title)}\n")
    lines = rest.split("\n\n")[0].splitlines()
    return " ".join(line for line in lines if not line.startswith(" "))


def _examples():
    """Yield file and name, and the docstring, of all that has examples, public or not."""
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            text = isinstance(node, DEFINITIONS) and ast.get_docstring(node)
            if text and ">>> " in text:
                yield f"{file.relative_to(PACKAGE)}:{getattr(node, 'name', '')}", text


@pytest.mark.parametrize(
    ("place", "text"), [pytest.param(*example, id=example[0]) for example in _examples()]
)
def test_examples_run(place, text, tmp_path, monkeypatch):
    if "LeNetClassifier" in text:
        pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    shown = []
    test = doctest.DocTestParser().get_doctest(text, {"__name__": "__main__"}, place, None, 0)
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(test, out=shown.append)
    assert runner.tries and not runner.failures, "".join(shown)


def test_main_names_have_examples():
    for name in EXAMPLES:
        assert ">>> " in TEXTS.get(f"lenet_c.{name}", ">>> "), name


@pytest.mark.parametrize("name", ["lenet_c", *(f"lenet_c.{name}" for name in MODULES)])
def test_a_module_says_what_it_has(name):
    module = PUBLIC[name]
    summary, *rest = inspect.getdoc(module).split("\n", 1)
    assert summary.endswith(".")
    assert not rest or rest[0].startswith("\n")
    for one in {*module.__all__} - {"__version__"}:
        thing = getattr(module, one)
        if callable(thing) or isinstance(thing, types.ModuleType):
            continue
        assert one in module.__doc__, f"{one}: data has no docstring of its own"


@pytest.mark.parametrize("name", ["lenet_c", *(f"lenet_c.{name}" for name in MODULES)])
def test_nothing_else_is_public(name):
    module = PUBLIC[name]
    for one, thing in vars(module).items():
        if one[0] == "_" or one in dir(lenet_c) * (module is lenet_c) or one in module.__all__:
            continue
        is_room = sys.modules.get(f"{name}.{one}") is thing
        is_standard = one in sys.stdlib_module_names and isinstance(thing, types.ModuleType)
        assert is_room or is_standard or one in ("annotations", "TYPE_CHECKING"), one


def test_what_is_raised_is_found():
    class Owner:
        def method(self):
            return self.other

        @property
        def other(self):
            with contextlib.suppress(KeyError):
                raise KeyError
            raise IndexError

    def fails(flag):
        try:
            raise TypeError
        except TypeError:
            raise OSError("no") from None

    fails.__module__ = Owner.method.__module__ = Owner.other.fget.__module__ = "lenet_c"
    assert list(raised(fails)) == [OSError]
    assert list(raised(Owner.method, Owner)) == [IndexError]
