"""The drawing page, drawn on in Chromium.

LENET_C_SCREENSHOT names a file for the picture of the page with a digit on it.
"""

import base64
import os
import re
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest
from extra_case import with_extra
from serve_case import serving
from webdriver import CHROMIUM, DRIVER, Browser

import lenet_c
from lenet_c.serve.answers import Reader

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="needs chromium and chromedriver: apt-get install chromium chromium-driver",
)

LAYERS = ("c1", "s2", "c3", "s4", "c5", "f6", "output")
STROKES = {  # points in hundredths of the paper's side
    "0": "50 15  30 30  27 55  38 80  55 84  70 68  73 42  65 22  50 15",
    "1": "53 15  51 50  50 85",
    "3": "28 24  40 14  55 13  66 20  68 30  62 40  46 46  62 50  72 60  72 72  62 83  45 87",
    "7": "25 20  50 19  76 20  65 40  52 62  44 85",
}
DIGITS = {
    digit: [tuple(int(v) / 100 for v in point.split()) for point in points.split("  ")]
    for digit, points in STROKES.items()
}


@pytest.fixture(scope="module")
def browser():
    # the page's server may run under a sanitizer, the browser not
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    with subprocess.Popen(
        [DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True, env=environment
    ) as driver:
        try:
            for line in driver.stdout:
                if found := re.search(r"started successfully on port (\d+)", line):
                    break
            browser = Browser(int(found[1]))
            try:
                yield browser
            finally:
                browser.call("", method="DELETE")
        finally:
            driver.terminate()


@pytest.fixture
def page(browser, server):
    """The page, freshly loaded; in the end nothing may stand in the console."""
    browser.size(1280, 1000)
    browser.open(server.url)
    browser.complaints()
    yield browser
    assert browser.complaints() == []


def assert_blank(page):
    assert (page.text("answer"), page.text("message")) == ("\u2013", "nothing drawn")
    assert {name: page.colours(name) for name in LAYERS} == dict.fromkeys(LAYERS, 1)
    assert page.colours("prepared") == 1
    assert page.colours("paper") == 0


@pytest.mark.parametrize("kind", ["mouse", "touch", "pen"])
@pytest.mark.parametrize("digit", DIGITS)
def test_a_digit_is_drawn_and_read(page, digit, kind):
    assert_blank(page)
    page.draw(DIGITS[digit], kind)
    page.settle()
    assert page.text("answer") == digit
    assert re.fullmatch(r"\d+\.\d %", page.text("message"))
    values = page.run("return [...document.querySelectorAll('#bars .value')].map(v => v.innerText)")
    shares = [float(value.removesuffix(" %")) for value in values]
    assert len(shares) == 10 and sum(shares) == pytest.approx(100, abs=0.6)
    assert shares.index(max(shares)) == int(digit) and f"{max(shares)} %" == page.text("message")
    assert all(page.colours(name) > 5 for name in LAYERS)
    assert page.colours("prepared") > 5
    page.click("clear")
    page.settle()
    assert_blank(page)


def test_a_picture_of_the_page(page):
    page.size(1240, 1000)
    page.draw(DIGITS["3"])
    page.settle()
    height = page.run("return document.documentElement.scrollHeight")
    page.size(1240, height)
    picture = base64.b64decode(page.call("/screenshot", method="GET"))
    assert picture.startswith(b"\x89PNG") and len(picture) > 10_000
    if place := os.environ.get("LENET_C_SCREENSHOT"):
        Path(place).write_bytes(picture)


def test_the_answer_follows_the_pen(page):
    three = DIGITS["3"]
    page.draw(three[:6], lift=False)
    page.settle()
    early = page.text("answer"), page.text("message"), page.colours("prepared")
    assert early[0] in "0123456789"
    page.release()
    page.draw(three[5:])
    page.settle()
    assert page.text("answer") == "3" != early[0]


def test_a_small_digit_gets_the_same_pen(page):
    page.draw([(0.1 + x / 4, 0.6 + y / 4) for x, y in DIGITS["3"]])
    page.settle()
    assert page.text("answer") == "3"


def test_undo_and_too_small_a_drawing(page):
    page.draw(DIGITS["7"])
    page.draw([(0.3, 0.55), (0.7, 0.55)])
    page.settle()
    assert page.run("return strokes.length") == 2
    page.click("undo")
    page.settle()
    assert (page.run("return strokes.length"), page.text("answer")) == (1, "7")
    page.click("undo")
    page.draw([(0.5, 0.5), (0.52, 0.5)])
    page.settle()
    assert "too small" in page.text("message") and page.colours("c1") == 1


def test_by_keyboard(page):
    tab, space, down, escape = "\ue004", " ", "\ue015", "\ue00c"
    page.press(tab)
    assert page.run("return document.activeElement.id") == "paper"
    page.press(*(7 * ["\ue013"]), space, *(14 * [down]), space)
    page.settle()
    assert page.text("answer") == "1"
    page.press(escape)
    page.settle()
    assert page.text("message") == "nothing drawn"
    page.press(tab, tab, "\ue004")  # paper, undo, clear, and round
    assert page.run("return document.activeElement.id") != "paper"


def test_a_doubtful_drawing(page):
    page.draw([(0.3, 0.3), (0.7, 0.3), (0.3, 0.7), (0.7, 0.7), (0.5, 0.1), (0.2, 0.5)])
    page.settle()
    assert re.fullmatch(r"not sure: \d or \d", page.text("message"))


def test_light_and_dark(page):
    grounds = []
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        page.command("Emulation.setEmulatedMedia", features=[feature])
        page.draw(DIGITS["1"])
        page.settle()
        ground = page.run("return getComputedStyle(document.body).backgroundColor")
        grounds.append(sum(map(int, re.findall(r"\d+", ground)[:3])) / 3)
        assert page.colours("prepared") > 5
    page.command("Emulation.setEmulatedMedia", features=[])
    assert grounds[0] > 200 and grounds[1] < 60


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1600])
def test_it_fits(page, width):
    page.size(width, 900)
    page.draw(DIGITS["7"], "touch")
    page.settle()
    assert page.text("answer") == "7"
    wide = page.run(
        "return [...document.querySelectorAll('body *')].filter("
        "(e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML)"
    )
    assert wide == []


def test_nothing_comes_from_elsewhere(page, server):
    page.draw(DIGITS["0"])
    page.settle()
    names = page.run("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert any(name.endswith("maps=1&width=112&height=112") for name in names)
    assert all(name.startswith(server.url) for name in names)


def test_one_request_at_a_time_and_the_last_counts(browser, pretrained):
    at_once, most = [], []

    class Slow(Reader):
        def answer(self, *args):
            at_once.append(1)
            most.append(len(at_once))
            time.sleep(0.15)
            at_once.pop()
            return super().answer(*args)

    with serving(pretrained, Slow) as server:
        browser.size(1280, 1000)
        browser.open(server.url)
        browser.draw([p for a, b in pairwise(DIGITS["3"]) for p in (a, b)])
        browser.settle()
        assert browser.text("answer") == "3"
        assert max(most) == 1 and 2 <= len(most) < 20


def test_a_server_that_is_gone(browser, pretrained):
    browser.size(1280, 1000)
    with serving(pretrained) as server:
        browser.open(server.url)
    browser.draw(DIGITS["7"])
    browser.settle()
    assert browser.text("message") == "the server does not answer"
    assert browser.colours("c1") == 1
    browser.complaints()


@pytest.mark.parametrize("names", [None, (*"0123456789", "?")])
def test_no_digit(browser, pretrained, names):
    with serving(with_extra(pretrained, 1e3, class_names=names)) as server:
        browser.open(server.url)
        browser.draw(DIGITS["7"])
        browser.settle()
        assert browser.text("answer") == "\u2013"
        assert browser.text("message") == f"{'no digit' if names is None else '?'}: 100.0 %"
        best = "return [...document.querySelectorAll('#bars li')].map((li) => li.className)"
        assert browser.run(best) == [""] * 10 + ["best"]
    assert browser.complaints() == []


def test_other_classes(browser):
    model = lenet_c.LeNet5(class_names=[f"kind {k}" for k in range(14)], preparation="resize")
    with serving(model) as server:
        browser.open(server.url)
        browser.draw(DIGITS["7"])
        browser.settle()
        assert browser.run("return document.querySelectorAll('#bars li').length") == 14
        assert re.fullmatch(r"kind \d+", browser.text("answer"))
        assert "not sure: kind" in browser.text("message")
    assert browser.complaints() == []
