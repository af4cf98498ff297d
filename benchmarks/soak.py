"""examples/http_service.py under load: python benchmarks/soak.py --seconds 300

wrk (Debian: apt-get install wrk) sends digits on connections that are kept, and a broken request
in ten; without it, or with --generator python, threads of this script do. Beside it one client
does what no generator does: cuts requests off, sends bytes that are no HTTP, says nothing, goes
away before the answer, and compares the answers to good requests with the model's own, by bits.
Prints a table: requests, errors by status, tail latency, the service's memory over the time.
Exit status 1: an answer was wrong, of another status than it should be, or missing.
"""

import argparse
import collections
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

import lenet_c

SERVICE = Path(__file__).resolve().parents[1] / "examples" / "http_service.py"
PERCENTILES = (50, 99, 99.9)
TIMEOUT = 20

# One in ten; the status each is answered with. None: whatever is said, the connection may just end.
BROKEN = (
    (b"POST /digits HTTP/1.1\r\nHost: x\r\nContent-Length: 783\r\n\r\n" + bytes(783), 400),
    (b"POST /digits HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 400),
    (b"POST /digits HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", 411),
    (b"POST /digits HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413),
    (b"POST /numbers HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 404),
    (b"GET /digits HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    (b"DELETE /digits HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    (b"POST /digits HTTP/9.9\r\nHost: x\r\n\r\n", 505),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", 400),
)

LUA = r"""
local good, broken, threads = {}, {}, {}
%s
local count, statuses = 0, {}
function setup(thread) table.insert(threads, thread) end
function init(args) math.randomseed(os.time()) end
function request()
  count = count + 1
  if count %% 10 == 0 then return broken[math.random(#broken)] end
  return good[math.random(#good)]
end
function response(status)
  local name = "status_" .. status
  _G[name] = (_G[name] or 0) + 1
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('SOAK {"seconds": %%.3f, "requests": %%d, "connect": %%d, ' ..
    '"read": %%d, "write": %%d, "timeout": %%d, "latency": [%%d, %%d, %%d], "most": %%d, ' ..
    '"statuses": {',
    summary.duration / 1e6, summary.requests, e.connect, e.read, e.write, e.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max))
  local comma = ""
  for status = 100, 599 do
    local sum = 0
    for _, thread in ipairs(threads) do sum = sum + (thread:get("status_" .. status) or 0) end
    if sum > 0 then io.write(comma, "\"", status, "\": ", sum) comma = ", " end
  end
  io.write("}}\n")
end
"""


def post(image):
    head = f"POST /digits HTTP/1.1\r\nHost: x\r\nContent-Length: {image.nbytes}\r\n\r\n"
    return head.encode() + image.tobytes()


class Service:
    """The example in a process of its own, its resident memory written down twice a second."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, SERVICE, "0"], stdout=subprocess.PIPE, text=True
        )
        url = self.process.stdout.readline()
        self.address = "127.0.0.1", int(url.rsplit(":", 1)[1].split("/")[0])
        self.memory = []

    def resident(self):
        """Return megabytes (2**20 bytes) in memory."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def watch(self, over):
        while not over.wait(0.5):
            self.memory.append(self.resident())

    def close(self):
        self.process.terminate()
        self.process.wait(TIMEOUT)
        self.process.stdout.close()


def by_wrk(service, images, seconds, connections):
    """Load by wrk; return what it counted."""

    def quoted(raw):
        return '"' + "".join(f"\\{byte:03d}" for byte in raw) + '"'

    lines = [f"good[{i + 1}] = {quoted(post(image))}" for i, image in enumerate(images)]
    lines += [f"broken[{i + 1}] = {quoted(raw)}" for i, (raw, _) in enumerate(BROKEN)]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "soak.lua"
        script.write_text(LUA % "\n".join(lines))
        done = subprocess.run(
            ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "10s",
             "-s", str(script), "http://{}:{}/digits".format(*service.address)],
            capture_output=True, text=True, check=True, timeout=seconds + 60,
        )  # fmt: skip
    found = json.loads(done.stdout.split("SOAK ")[1])
    found["statuses"] = {int(status): n for status, n in found["statuses"].items()}
    return found


def by_threads(service, images, seconds, connections):
    """Load by threads of this process; return what `by_wrk` does."""
    end, results = time.monotonic() + seconds, []

    def client(number):
        rng, statuses, times, failed = np.random.default_rng(number), collections.Counter(), [], 0
        connection = http.client.HTTPConnection(*service.address, timeout=TIMEOUT)
        while time.monotonic() < end:
            begin = time.perf_counter()
            try:
                if rng.random() < 0.1:
                    status = exchange(service, BROKEN[rng.integers(len(BROKEN))][0])
                else:
                    connection.request(
                        "POST", "/digits", images[rng.integers(len(images))].tobytes()
                    )
                    answer = connection.getresponse()
                    status, _ = answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                failed += 1
                connection.close()
                continue
            times.append(time.perf_counter() - begin)
            statuses[status] += 1
        connection.close()
        results.append((statuses, times, failed))

    clients = [threading.Thread(target=client, args=(i,)) for i in range(connections)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join(seconds + 60)
    statuses = sum((r[0] for r in results), collections.Counter())
    times = sorted(1e6 * t for r in results for t in r[1])
    latency = [times[int(len(times) * p / 100)] for p in PERCENTILES]
    return {
        "seconds": seconds, "requests": sum(statuses.values()), "connect": 0, "write": 0,
        "read": sum(r[2] for r in results), "timeout": 0, "latency": latency, "most": times[-1],
        "statuses": dict(statuses),
    }  # fmt: skip


def exchange(service, raw, wait=True):
    """Send bytes on a connection of their own; return the answer's status, 0 for none."""
    with socket.create_connection(service.address, timeout=TIMEOUT) as connection:
        connection.sendall(raw)
        if not wait:
            return 0
        connection.shutdown(socket.SHUT_WR)
        said = b""
        while received := connection.recv(65536):
            said += received
    return int(said.split(b" ", 2)[1]) if said else 0


def be_a_nuisance(service, images, over, model):
    """Send good and bad requests one after another; return counts, and what went wrong."""
    rng, counts, wrong = np.random.default_rng(0), collections.Counter(), []
    silent = []
    while not over.is_set():
        for raw, status in BROKEN:
            counts["broken"] += 1
            if (got := exchange(service, raw)) != status:
                wrong.append(f"{raw[:60]!r}: expected {status}, got {got}")
        whole = post(images[0])
        exchange(service, whole[: rng.integers(1, len(whole))], wait=False)
        exchange(service, whole, wait=False)
        exchange(service, rng.bytes(rng.integers(1, 3000)), wait=False)
        exchange(service, b"POST / HTTP/1.1\r\nA: " + b"b" * 70000, wait=False)
        silent.append(socket.create_connection(service.address))
        if len(silent) > 4:
            silent.pop(0).close()
        counts["cut off, garbage, silent"] += 5
        n = int(rng.integers(1, 9))
        some = images[rng.integers(0, len(images), n)]
        connection = http.client.HTTPConnection(*service.address, timeout=TIMEOUT)
        connection.request("POST", "/digits", some.tobytes())
        found = json.loads(connection.getresponse().read())
        connection.close()
        p = model.predict_proba(some)
        counts["compared"] += 1
        if found != {"digits": p.argmax(1).tolist(), "probabilities": p.max(1).tolist()}:
            wrong.append(f"{n} images: expected {p.argmax(1)}, got {found}")
        over.wait(0.02)
    for connection in silent:
        connection.close()
    return counts, wrong


def soak(seconds, connections, generator):
    """Run it; return the generator's counts, the other client's, what was wrong, and memory."""
    images, _ = lenet_c.datasets.load_sample("test")
    images = images[:50]
    service, over, nuisance = Service(), threading.Event(), []
    try:
        model = lenet_c.LeNet5.pretrained()
        exchange(service, post(images[0]))
        watch = threading.Thread(target=service.watch, args=(over,))
        other = threading.Thread(
            target=lambda: nuisance.append(be_a_nuisance(service, images, over, model))
        )
        watch.start()
        other.start()
        try:
            load = by_wrk if generator == "wrk" else by_threads
            found = load(service, images, seconds, connections)
        finally:
            over.set()
            watch.join(TIMEOUT)
            other.join(2 * TIMEOUT)
        exchange(service, post(images[0]))
    finally:
        service.close()
    if not nuisance:
        raise RuntimeError("the client beside the generator failed or hangs")
    counts, wrong = nuisance[0]
    strange = set(found["statuses"]) - {200} - {status for _, status in BROKEN}
    wrong += [f"status {status}, {found['statuses'][status]} times" for status in sorted(strange)]
    return found, counts, wrong, service.memory


def table(found, counts, memory, connections):
    """Return the lines of the table."""
    third = max(1, len(memory) // 10)
    parts = memory[:third], memory[len(memory) // 2 :][:third], memory[-third:]
    statuses = ", ".join(f"{found['statuses'][s]:,} of {s}" for s in sorted(found["statuses"]))
    rate = found["requests"] / found["seconds"]
    rows = {
        "seconds, connections": f"{found['seconds']:.0f}, {connections}",
        "requests answered": f"{found['requests']:,}, {rate:,.0f} a second",
        "statuses": statuses,
        "no answer (connect, read, write, timeout)":
            ", ".join(str(found[name]) for name in ("connect", "read", "write", "timeout")),
        "latency p50, p99, p99.9, most":
            ", ".join(f"{t / 1000:.2f}" for t in (*found["latency"], found["most"])) + " ms",
        "memory at the start, in the middle, at the end":
            ", ".join(f"{statistics.median(part):.1f}" for part in parts) + " MB",
        "beside it": ", ".join(f"{n:,} {name}" for name, n in counts.items()),
    }  # fmt: skip
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument(
        "--generator", choices=("wrk", "python"), default="wrk" if shutil.which("wrk") else "python"
    )
    options = parser.parse_args(arguments)
    found, counts, wrong, memory = soak(options.seconds, options.connections, options.generator)
    print("\n".join(table(found, counts, memory, options.connections)))
    for line in wrong[:20]:
        print(line, file=sys.stderr)
    return 1 if wrong or found["timeout"] or found["connect"] else 0


if __name__ == "__main__":
    sys.exit(main())
