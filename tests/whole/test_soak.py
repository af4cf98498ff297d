"""The service of examples/http_service.py under load, for some seconds: benchmarks/soak.py."""

import os

import pytest
import soak

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")


def test_the_service_bears_good_and_bad_requests():
    found, counts, wrong, memory = soak.soak(5, 8, "python")
    assert not wrong
    assert found["read"] == 0
    assert found["statuses"].keys() == {200, *(status for _, status in soak.BROKEN)}
    assert found["statuses"][200] > 5 * sum(n for s, n in found["statuses"].items() if s != 200)
    assert found["requests"] > 500 and counts["compared"] > 5
    assert memory[-1] < memory[len(memory) // 2] + 4
    lines = soak.table(found, counts, memory, 8)
    assert len({line.count("|") for line in lines}) == 1


def test_a_wrong_answer_is_told(monkeypatch):
    monkeypatch.setattr(soak, "BROKEN", ((b"GET / HTTP/1.1\r\n\r\n", 200),))
    *_, wrong, _ = soak.soak(1, 1, "python")
    assert "expected 200, got 404" in wrong[0]
    assert any(line.startswith("status 404") for line in wrong)
