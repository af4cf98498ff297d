"""One model in many threads: predicted with, trained, set, copied and saved at the same time."""

import copy
import pickle
import sysconfig
import threading
import time

import numpy as np
import pytest
from thread_case import bits, run, sample, together, while_running

import lenet_c
from lenet_c import LeNet5


def model_on(engine, **fields):
    model = LeNet5(dtype=engine.dtype, **fields)
    model._parameters.engine = engine
    return model


# --- readers


def test_eight_threads_predict_what_one_does(engine):
    """Single images and blocks, the pool of threads wanted by all of them at once."""
    model, images = model_on(engine, seed=3), sample()[0]
    twin = model_on(engine, seed=3)
    sizes = (1, 3, 10, 64, 100)
    want = [twin.predict_proba(images[:n], threads=1).tobytes() for n in sizes]
    maps = {name: a.tobytes() for name, a in twin.activations(images[:5]).items()}

    def caller(threads):
        for _ in range(3):
            for n, p in zip(sizes, want, strict=True):
                assert model.predict_proba(images[:n], threads=threads).tobytes() == p
            found = model.activations(images[:5])
            assert {name: a.tobytes() for name, a in found.items()} == maps
        return True

    counts = (1, 2, 2, 2, 3, 4, None, None)
    assert together(*[lambda t=t: caller(t) for t in counts]) == [True] * 8


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": "adamw"},
        {"batch_size": 1, "learning_rate": 0.01},
        {"optimizer": "sdlm"},
        {"augment": "affine"},
    ],
    ids=str,
)
def test_models_trained_in_two_threads_are_those_trained_alone(engine, options):
    def train(seed):
        model = model_on(engine, seed=seed)
        model.fit(*sample(100), epochs=2, seed=seed, threads=2, progress=False, **options)
        return bits(model)

    alone = [train(1), train(2)]
    assert together(lambda: train(1), lambda: train(2)) == alone


# --- a writer and readers


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """A hundred images are more than are predicted at a time, as 5,000 are otherwise."""
    monkeypatch.setattr("lenet_c.network.scores.CHUNK", 40)


def watched(model):
    """What a reader may see of a model, each by a call of its own."""
    images, labels = sample(20)
    page = np.tile(images[0], (3, 3))
    return (
        lambda: ("one", model.predict_proba(images[0]).tobytes()),
        lambda: ("block", model.predict_proba(images, threads=2).tobytes()),
        lambda: ("many", model.predict_proba(sample(100)[0]).tobytes()),
        lambda: ("report", model.evaluate(images, labels).loss),
        lambda: ("scan", model.scan(page).tobytes()),
        lambda: ("parameters", bits(model)),
        lambda: ("maps", model.activations(images[:2])["c3"].tobytes()),
        lambda: ("loss", model.loss_and_gradients(images[:8], labels[:8])[0]),
        lambda: ("pickle", bits(pickle.loads(pickle.dumps(model)))),
        lambda: ("copy", bits(copy.deepcopy(model))),
    )


def everything(model):
    return {name: value for name, value in (look() for look in watched(model))}


def check_seen(seen, allowed):
    """What was seen is, by bits, of the allowed states, and everything was looked at."""
    states = {name: {state[name] for state in allowed} for name in allowed[0]}
    assert {name for name, _ in seen} == set(states)
    mixed = [name for name, value in seen if value not in states[name]]
    assert not mixed, f"{len(mixed)} of {len(seen)} of no state: {sorted(set(mixed))}"


def one_after_another(looks):
    turn = threading.local()

    def look():
        turn.next = getattr(turn, "next", -1) + 1
        return looks[turn.next % len(looks)]()

    return look


def test_parameters_set_while_others_predict():
    models = [LeNet5(seed=seed) for seed in (1, 2)]
    states, model = [everything(m) for m in models], LeNet5(seed=1)
    both = [m.parameters() for m in models]
    looks = watched(model)

    def writer():
        end = time.monotonic() + 0.5
        for i in range(10**6):
            model.set_parameters(both[i % 2])
            if i > 50 and time.monotonic() > end:
                return

    _, seen = while_running(writer, one_after_another(looks))
    seen += [look() for look in looks]
    check_seen(seen, states)
    assert len({value for name, value in seen if name == "one"}) == 2


@pytest.mark.parametrize("options", [{}, {"batch_size": 1, "learning_rate": 0.01}], ids=str)
def test_fit_while_others_predict(options):
    """A reader sees the weights of the last epoch that ended, and nothing in between."""
    model, twin = LeNet5(seed=1), LeNet5(seed=1)
    states = [everything(twin)]
    options = {"epochs": 4, "threads": 2, "progress": False, **options}
    twin.fit(*sample(), callbacks=[lambda m, r: states.append(everything(m))], **options)
    looks = watched(model)
    _, seen = while_running(lambda: model.fit(*sample(), **options), one_after_another(looks))
    check_seen(seen + [look() for look in looks], states)
    assert bits(model) == bits(twin)


def test_partial_fit_while_others_predict():
    model, twin = LeNet5(seed=1), LeNet5(seed=1)
    parts = [tuple(a[i : i + 8] for a in sample()) for i in range(0, 160, 8)]
    states, looks = [everything(twin)], watched(model)
    for part in parts:
        twin.partial_fit(*part)
        states.append(everything(twin))

    def writer():
        for part in parts:
            model.partial_fit(*part, threads=2)
            time.sleep(0.005)

    _, seen = while_running(writer, one_after_another(looks))
    check_seen(seen + [look() for look in looks], states)
    assert bits(model) == bits(twin)


def test_weights_that_are_not_finite_are_never_seen():
    model, before = LeNet5(seed=1), everything(LeNet5(seed=1))

    def train():
        for _ in range(5):
            with pytest.raises(FloatingPointError):
                model.fit(*sample(), epochs=2, learning_rate=1e30, threads=2, progress=False)
            with pytest.raises(FloatingPointError):
                model.partial_fit(*sample(), learning_rate=1e39)

    _, seen = while_running(train, one_after_another(watched(model)))
    check_seen(seen, [before])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_copy_of_a_model_that_learns_batch_by_batch_is_of_one_update(optimizer):
    model, twin, part = LeNet5(seed=1), LeNet5(seed=1), sample(8)
    options = {"optimizer": optimizer, "learning_rate": 0.001}

    def state(model):
        return bits(model), *(m.tobytes() for m in model._parameters.optimizer.moments)

    states = {state(twin)}
    for _ in range(40):
        twin.partial_fit(*part, **options)
        states.add(state(twin))

    def writer():
        for _ in range(40):
            model.partial_fit(*part, threads=2, **options)

    _, seen = while_running(writer, lambda: state(pickle.loads(pickle.dumps(model))))
    assert set(seen) <= states


def test_reading_a_line_while_parameters_are_set(pretrained):
    """Four scans make a reading; all of them are by the same weights."""
    digits, labels = lenet_c.datasets.load_sample("test")
    line = np.hstack([np.pad(digit, ((0, 0), (0, 6))) for digit in digits[:4]])
    model, other = copy.deepcopy(pretrained), LeNet5(seed=1)
    want = {pretrained.read(line), other.read(line)}
    assert "".join(map(str, labels[:4])) in want
    both = other.parameters(), pretrained.parameters()

    def writer():
        for i in range(400):
            model.set_parameters(both[i % 2])

    _, seen = while_running(writer, lambda: model.read(line))
    assert set(seen) <= want


# --- without the GIL


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="the interpreter has a GIL"
)
def test_the_gil_stays_off():
    code = """
    import sys, warnings
    warnings.simplefilter("error")
    import lenet_c
    for isa in lenet_c.core.choose.available():
        lenet_c.core.choose.load(isa)
    lenet_c.LeNet5(dtype="float64")
    print(sys._is_gil_enabled())
    """
    assert run(code, PYTHON_GIL="") == "False\n"


def test_threads_that_make_models_at_the_same_time():
    """Engines, layouts and workspaces are made on first use, here by eight threads at once."""
    code = """
    import threading
    import numpy as np
    from lenet_c import LeNet5
    ready, found = threading.Barrier(8), []

    def work():
        ready.wait(60)
        model = LeNet5(seed=1)
        model.partial_fit(np.zeros((2, 28, 28)), [1, 2])
        found.append(model.predict_proba(np.ones((20, 28, 28)), threads=2).tobytes())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    print(len(found), len(set(found)))
    """
    assert run(code) == "8 1\n"
