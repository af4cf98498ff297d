"""What `lenet-c serve` answers, by real HTTP on a port of its own."""

import io
import json
import re
import subprocess
import sys
import types

import numpy as np
import pytest
from extra_case import with_extra
from places import ROOT
from serve_case import JSON, PREDICT, RAW, ask, predict, serving

import lenet_c
from lenet_c.pictures import drawings
from lenet_c.serve import answers


@pytest.fixture(scope="module")
def digit():
    return lenet_c.datasets.load_sample("test")[0][0]


@pytest.mark.parametrize("form", ["rows", "flat", "floats", "raw"])
def test_an_image_of_mnist_is_taken_as_it_is(server, pretrained, digit, form):
    if form == "raw":
        answer = predict(server, digit.tobytes(), RAW, "?width=28&height=28")
    elif form == "flat":
        answer = predict(server, {"image": digit.ravel().tolist(), "shape": [28, 28]})
    else:
        answer = predict(server, {"image": (digit if form == "rows" else digit / 255).tolist()})
    status, found = answer
    assert status == 200
    p = pretrained.predict_proba(digit)
    assert found["prepared"] == digit.tolist()
    assert found["probabilities"] == p.tolist()
    assert found["label"] == int(p.argmax()) and found["name"] == str(p.argmax())
    assert found["probability"] == float(p.max())
    assert found["sure"] is True and found["rejected"] is False
    assert "maps" not in found


def test_maps(server, pretrained, digit):
    status, found = predict(server, {"image": digit.tolist()}, query="?maps=1")
    assert status == 200
    expected = pretrained.activations(digit)
    assert list(found["maps"]) == list(expected)
    for name, values in expected.items():
        assert np.shape(found["maps"][name]) == values.shape
        np.testing.assert_allclose(found["maps"][name], values, atol=0.0006)


def test_a_drawing_is_prepared(server, pretrained, digit):
    drawing = np.pad(digit.repeat(9, 0).repeat(9, 1), ((30, 200), (180, 5)))
    height, width = drawing.shape
    status, found = predict(server, drawing.tobytes(), RAW, f"?width={width}&height={height}")
    assert status == 200
    image = drawings.centre(drawing / 255, 28)
    assert found["prepared"] == image.tolist()
    assert found["probabilities"] == pretrained.predict_proba(image).tolist()
    assert np.abs(image.astype(int) - digit).mean() < 3  # it had been made as MNIST's are


def test_doubt_is_told(server, pretrained):
    images = lenet_c.datasets.load_sample("test")[0]
    p = pretrained.predict_proba(images)
    unsure = images[p.max(1).argmin()]
    status, found = predict(server, {"image": unsure.tolist()})
    assert status == 200
    assert found["sure"] is False and found["probability"] < answers.SURE


def test_the_model_is_described(server, pretrained):
    status, _, content = ask(server, "GET", "/api/model")
    found = json.loads(content)
    assert status == 200
    assert found["classes"] == list("0123456789")
    assert found["version"] == lenet_c.__version__
    assert sum(layer["parameters"] for layer in found["layers"]) == 60_850
    assert {layer["name"]: layer["shape"] for layer in found["layers"]}["c3"] == [16, 10, 10]


def test_no_digit(digit, pretrained):
    """Its label is null, not a number that could be taken for a digit's."""
    for bias, label in ((1e3, None), (-1e3, 3)):
        model = with_extra(pretrained, bias)
        with serving(model) as server:
            described = json.loads(ask(server, "GET", "/api/model")[2])
            status, found = predict(server, {"image": digit.tolist()})
        assert described["extra"] == "none" and described["classes"][-1] == "none"
        assert status == 200
        assert (found["label"], found["rejected"]) == (label, label is None)
        assert found["name"] == ("none" if label is None else "3")
        assert found["probability"] == max(found["probabilities"]) and found["sure"]
        assert len(found["probabilities"]) == 11


def test_other_classes_and_another_preparation(digit):
    names = ("coat", "shoe", "bag")
    model = lenet_c.LeNet5("mnist28", class_names=names, preparation="resize")
    drawing = np.zeros((56, 112), np.uint8)
    drawing[10:40, 60:70] = 255
    with serving(model) as server:
        described = json.loads(ask(server, "GET", "/api/model")[2])
        status, found = predict(server, {"image": drawing.tolist()}, query="?maps=1")
    assert described["classes"] == list(names) and described["preparation"] == "resize"
    assert status == 200
    assert found["name"] == names[found["label"]] and len(found["probabilities"]) == 3
    prepared = np.array(found["prepared"])
    assert prepared.shape == (28, 28)
    assert not prepared[:7].any() and not prepared[21:].any()  # the whole, its height halved
    assert prepared.sum() == pytest.approx(drawing.sum() / 16, rel=0.01)
    assert np.shape(found["maps"]["c5"]) == (120, 1, 1)


@pytest.mark.parametrize("fields", [*lenet_c.LeNet5.presets(), {"head": "global_average"}], ids=str)
def test_every_kind_of_network(digit, fields):
    model = lenet_c.LeNet5(**fields) if isinstance(fields, dict) else lenet_c.LeNet5(fields)
    with serving(model) as server:
        described = json.loads(ask(server, "GET", "/api/model")[2])
        status, found = predict(server, {"image": digit.tolist()}, query="?maps=1")
    assert status == 200
    assert found["probabilities"] == model.predict_proba(digit).tolist()
    for layer in described["layers"]:
        assert np.size(found["maps"][layer["name"]]) == np.prod(layer["shape"])


@pytest.mark.parametrize("path", ["/", "/page.css", "/page.js", "/icon.svg"])
def test_the_page(server, path):
    status, headers, content = ask(server, "GET", path)
    assert status == 200 and content
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers
    assert "Python" not in headers["Server"]
    head = ask(server, "HEAD", path)
    assert (head[0], head[1]["Content-Length"], head[2]) == (200, str(len(content)), b"")
    text = content.decode()
    text = text.replace("http://www.w3.org/2000/svg", "")  # the name of SVG, fetched by nobody
    assert "http:" not in text and "https:" not in text and "//cdn" not in text


def test_the_page_is_small(server):
    assert sum(len(content) for _, content in server.files.values()) <= 30_000


def test_a_media_type_may_have_a_charset(server, digit):
    body = json.dumps({"image": digit.tolist()}).encode()
    assert predict(server, body, "Application/JSON; charset=utf-8")[0] == 200


def test_pictures_that_are_none(server):
    status, found = predict(server, b"%!PS-Adobe", "image/png")
    assert (status, "image/png" in found["error"]) == (400, True)


@pytest.mark.parametrize("name", ["PNG", "JPEG"])
def test_pictures(server, pretrained, digit, name):
    pytest.importorskip("lenet_c.images", reason="this build has no lenet_c.images")
    from PIL import Image

    file = io.BytesIO()
    paper = 255 - np.pad(digit.repeat(6, 0).repeat(6, 1), 40)
    Image.fromarray(paper).save(file, name)
    status, found = predict(server, file.getvalue(), f"image/{name.lower()}")
    assert (status, found["label"]) == (200, int(pretrained.predict(digit)))
    status, found = predict(server, file.getvalue()[:150], f"image/{name.lower()}")
    assert (status, list(found)) == (400, ["error"])
    file = io.BytesIO()
    Image.new("L", (200, 200), 255).save(file, name)
    assert predict(server, file.getvalue(), f"image/{name.lower()}")[0] == 422


@pytest.fixture
def images(monkeypatch):
    """What stands in the place of the preparation of photographs."""
    stand_in = types.ModuleType("lenet_c.pictures.photographs")
    monkeypatch.setattr(answers, "photographs", stand_in)
    return stand_in


PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)


def test_pictures_go_through_images(server, images, pretrained, digit):
    def prepare(file, preparation):
        assert file.read() == PNG
        return digit if preparation == "digit" else 255 - digit

    images.prepare = prepare
    status, found = predict(server, PNG, "image/png")
    assert status == 200 and found["prepared"] == digit.tolist()
    assert found["probabilities"] == pretrained.predict_proba(digit).tolist()
    resizing = lenet_c.LeNet5(preparation="resize")
    with serving(resizing) as other:
        assert predict(other, PNG, "image/png")[1]["prepared"] == (255 - digit).tolist()


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (lenet_c.FormatError("broken picture"), 400, "broken picture"),
        (OSError(f"cannot identify {object()}"), 400, "image/png"),
        (ValueError("no digit: blank"), 422, "no digit: blank"),
        (ImportError('pip install "lenet-c[images]"'), 501, "lenet-c[images]"),
    ],
)
def test_pictures_that_cannot_be_read(server, images, error, status, words):
    def prepare(file, preparation):
        raise error

    images.prepare = prepare
    found = predict(server, PNG, "image/png")
    assert found[0] == status
    assert words in found[1]["error"] and " at 0x" not in found[1]["error"]


def test_pictures_without_images(server, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    status, found = predict(server, PNG, "image/png")
    assert (status, "image/png" in found["error"]) == (501, True)


def test_an_error_in_the_server(server, monkeypatch, capfd):
    def answer(*args):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(server.reader, "answer", answer)
    status, found = predict(server, b"{}")
    assert status == 500 and "secret" not in found["error"]
    assert "ZeroDivisionError('secret')" in capfd.readouterr().err
    monkeypatch.setattr(server, "verbose", True)
    predict(server, b"{}")
    assert "Traceback" in capfd.readouterr().err


def test_the_example_in_the_documentation():
    text = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    body = re.search(r"-d '\n(.*?)' \|", text, re.DOTALL)[1]
    code = re.search(r"python3 -c '(.*?)'\n", text, re.DOTALL)[1]
    expected = re.search(r"```\n\n```\n(.*?)\n```", text, re.DOTALL)[1]
    with serving(lenet_c.LeNet5.pretrained("photos")) as server:
        answer = ask(server, "POST", PREDICT, body, Content_Type=JSON)[2]
    done = subprocess.run(
        [sys.executable, "-c", code], input=answer, capture_output=True, timeout=20, check=True
    )
    assert done.stdout.decode().strip() == expected
