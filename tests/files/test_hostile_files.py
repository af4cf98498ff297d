"""Mutated files: every reader refuses what it cannot read, by name, and says why.

LENET_C_FUZZ=1 runs fifty times as many; tools/fuzz.py goes on for as long as told.
"""

import copy
import json
import os

import pytest
from fuzz_targets import TARGETS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from places import DATA

CORPUS = DATA / "fuzz"
PICTURES = ("picture",)
TIMES = 50 if os.environ.get("LENET_C_FUZZ") else 1


def target(name):
    if name in PICTURES:
        pytest.importorskip("PIL", reason="Pillow is not installed")
        pytest.importorskip("scipy", reason="SciPy is not installed")
    return TARGETS[name]


@pytest.mark.parametrize("case", sorted(CORPUS.glob("*/*")), ids=lambda path: path.name)
def test_regressions(case):
    target(case.parent.name).run(case.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_sound_files_pass(name):
    for data in target(name).seeds():
        TARGETS[name].run(data)


NUMBERS = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\x80", b"\0\x01\0\0"]
ODD = [
    None, True, -1, 0, 1, 2**31, 2**63, 2**64, 10**30, 1e308, float("nan"), float("inf"), 1e-320,
    "", "1", "\ud800", "x" * 300, [], [[]], {}, [1, "x"], [[1, [2]]], "../../x", "\x1b[2J", "٣",
]  # fmt: skip


def places(value, path=()):
    """Yield the path of every value in a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:3])
    for key, inner in items if isinstance(value, (dict, list)) else ():
        yield from (
            places(inner, (*path, key)) if isinstance(inner, (dict, list)) else [(*path, key)]
        )


def changed_json(draw, data):
    """Return a JSON text with one value replaced, taken out or added."""
    value = json.loads(data)
    *path, key = draw(st.sampled_from([place for place in places(value) if place]))
    inner = value
    for step in path:
        inner = inner[step]
    kind = draw(st.sampled_from(["replace", "delete", "add", "swap"]))
    if kind == "delete":
        del inner[key]
    elif kind == "add" and isinstance(inner, dict):
        inner[draw(st.sampled_from(["", "x", "__metadata__", "\ud800"]))] = inner[key]
    elif kind == "swap" and isinstance(inner, dict):
        other = draw(st.sampled_from(sorted(inner)))
        inner[key], inner[other] = copy.deepcopy(inner[other]), inner[key]
    else:
        inner[key] = draw(st.sampled_from(ODD))
    return json.dumps(value).encode()


@st.composite
def mutated(draw, name):
    """A sound file: cut, bytes changed, a piece of another put in, a number made extreme."""
    seeds = TARGETS[name].seeds()
    data = bytearray(draw(st.sampled_from(seeds)))
    if data[:1] in (b"{", b"[") and draw(st.booleans()):
        data = bytearray(changed_json(draw, data))
    for _ in range(draw(st.integers(0 if data not in seeds else 1, 3))):
        # half of the changes near the front, where the headers are
        end = min(len(data), 128) if draw(st.booleans()) else len(data)
        place = draw(st.integers(0, end))
        kind = draw(st.sampled_from(["cut", "flip", "number", "word", "splice", "drop", "double"]))
        if kind == "cut":
            del data[place:]
        elif kind == "flip":
            data[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
        elif kind == "number":
            data[place : place + 4] = draw(st.sampled_from(NUMBERS))
        elif kind == "word":
            data[place:place] = draw(st.sampled_from([*TARGETS[name].words, b"\xff"]))
        elif kind == "splice":
            other = draw(st.sampled_from(seeds))
            start = draw(st.integers(0, len(other)))
            data[place:place] = other[start : start + draw(st.integers(0, 200))]
        elif kind == "drop":
            del data[place : place + draw(st.integers(1, 64))]
        else:
            data[place:place] = data[place : place + draw(st.integers(1, 64))]
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_files(name):
    run = target(name).run

    @settings(
        max_examples=TIMES * {"picture": 30, "member": 40}.get(name, 100),
        suppress_health_check=list(HealthCheck),
    )
    @given(data=mutated(name))
    def check(data):
        run(data)

    check()
