#!/usr/bin/env python3
"""What one HTTP request costs: direct, through `toolgate proxy`, and through another forward proxy.

    cargo build --release -p toolgate && bench/proxy_latency.py [--requests 100]

A server on loopback answers a small JSON at once. The same request is sent on one kept connection, one
after the other, in turns of every way. The proxy of `proxy.py` (2.4.10, PyPI) forwards and judges nothing; the
gate's decides, makes the admission durable, forwards, and makes the outcome durable. Monitor mode records a
verdict and waits for no outcome. Printed are medians and 99th percentiles in microseconds.
"""

import argparse
import http.client
import http.server
import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
os.environ.setdefault("TOOLGATE_BIN", str(ROOT / "target/release/toolgate"))
sys.path.insert(0, str(ROOT / "tests/e2e"))

import kit  # noqa: E402
from kit import Gate, Process, check, folder, free_port, wait_for  # noqa: E402

PEER = "proxy.py==2.4.10"
POLICY = {"name": "bench", "rules": [{"rule_id": "ok", "match": {"tool_name": "http"}, "effect": "allow"}]}
ROUNDS = 3


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without this the second packet of an answer waits for the first one's acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_words):
        """Says nothing."""

    def do_GET(self):
        body = b'{"ok": true}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def timed(port, target, requests):
    """Microseconds of each request on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    took = []
    for number in range(requests):
        started = time.perf_counter_ns()
        connection.request("GET", f"{target}?n={number}")
        answer = connection.getresponse()
        body = answer.read()
        took.append((time.perf_counter_ns() - started) / 1_000)
        check(answer.status == 200 and b"ok" in body, f"{port} {target}: {answer.status} {body[:300]}")
    connection.close()
    return took


def peer(home):
    """Another forward proxy, from PyPI."""
    place = ROOT / "target/bench/proxy-peer"
    if not (place / "bin/proxy").exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        subprocess.run([place / "bin/pip", "install", "--quiet", PEER], check=True)
    port = free_port()
    process = Process([place / "bin/proxy", "--hostname", "127.0.0.1", "--port", str(port), "--num-workers", "1"], home / "peer.log", cwd=home)
    kit.at_end(process.kill)

    def listens():
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.connect()
            connection.close()
            return True
        except OSError:
            return False

    wait_for("the other proxy", listens)
    return port


def own(gate, key, *arguments):
    environment = {**kit.clean_environment(), "TOOLGATE_URL": gate.url, "TOOLGATE_KEY": key}
    command = [kit.TOOLGATE, "proxy", "--listen", "127.0.0.1:0", "--allow-host", "127.0.0.1", "--json", *arguments]
    process = Process(command, gate.home / "proxy.log", stdout=subprocess.PIPE, env=environment)
    kit.at_end(process.kill)
    return int(json.loads(process.child.stdout.readline())["listening"].rsplit(":", 1)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100, help="of each way and round")
    requests = parser.parse_args().requests
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    upstream = server.server_address[1]
    url = f"http://127.0.0.1:{upstream}/x"
    try:
        home = folder("bench-proxy")
        gate = Gate("", {"bench.json": POLICY}, home).opened()
        key = gate.agent("bench", "--tool", "http.*", "--max-risk", "high")
        ways = {
            "direct": (upstream, "/x"),
            PEER.replace("==", " "): (peer(home), url),
            "toolgate proxy, monitor": (own(gate, key, "--mode", "monitor"), f"/proxy/{url}"),
            "toolgate proxy, enforce": (own(gate, key), f"/proxy/{url}"),
        }
        seen = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, (port, target) in ways.items():
                seen[name].append(timed(port, target, requests))
        base = statistics.median(statistics.median(took) for took in seen["direct"])
        print(f"{'way':<28} {'p50':>10} {'p99':>10} {'added p50':>10}   microseconds, {ROUNDS} rounds of {requests}")
        for name, rounds in seen.items():
            p50 = statistics.median(statistics.median(took) for took in rounds)
            p99 = statistics.median(statistics.quantiles(took, n=100)[98] for took in rounds)
            print(f"{name:<28} {p50:>10.0f} {p99:>10.0f} {p50 - base:>10.0f}")
    finally:
        kit.end()
        server.shutdown()
    kit.forget()


if __name__ == "__main__":
    main()
