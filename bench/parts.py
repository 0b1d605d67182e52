"""What the benchmarks share: a gate beside a desk, requests as bytes, tables.

Everything that is compared is measured in the same run, in turns, so that what else the machine
does strikes both alike. A figure is the median of the rounds; its spread is the lowest and the
highest. Must not know: what is compared.
"""

import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
RELEASE = ROOT / "target/release"
os.environ.setdefault("TOOLGATE_BIN", str(RELEASE / "toolgate"))
os.environ.setdefault("REFUND_DESK_BIN", str(RELEASE / "refund-desk"))
LOAD = pathlib.Path(os.environ.get("GATE_LOAD_BIN", RELEASE / "gate-load"))
sys.path.insert(0, str(ROOT / "tests/e2e"))

from kit import Desk, Gate, at_end, desk_source, end, folder, forget  # noqa: E402

POLICY = {"name": "bench", "rules": [{"rule_id": "ok", "when": "tool == desk.get_charge", "effect": "allow"}]}
VERSION = "2026-07-28"


class Bench:
    """A gate, a desk behind it, and an agent."""

    def __init__(self):
        for binary in (pathlib.Path(os.environ["TOOLGATE_BIN"]), pathlib.Path(os.environ["REFUND_DESK_BIN"]), LOAD):
            if not binary.exists():
                raise SystemExit(f"there is no `{binary}`: `cargo build --release -p toolgate -p toolgate-testkit --bins` makes it")
        # Beside the sources and not in /tmp, which may be memory: the store's disk is the point.
        place = ROOT / "target/bench"
        place.mkdir(parents=True, exist_ok=True)
        os.environ["TMPDIR"] = str(place)
        self.home = folder("bench")
        self.desk = Desk(self.home)
        at_end(self.desk.stop)
        self.gate = Gate(desk_source("desk", self.desk), {"bench.json": POLICY}, self.home).opened()
        self.token = self.gate.agent("bench", "--tool", "desk.get_charge")
        self.gate.wait_tools(self.token, "desk.get_charge")

    def mcp_request(self, tool, port, token=None):
        """One modern `tools/call` as bytes."""
        meta = {"io.modelcontextprotocol/protocolVersion": VERSION, "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"}}
        params = {"name": tool, "arguments": {"charge": "ch_1"}, "_meta": meta}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        heads = {"MCP-Protocol-Version": VERSION, "Mcp-Method": "tools/call", "Mcp-Name": tool,
                 "Accept": "application/json, text/event-stream"}
        return self.request("/mcp", port, body, token, heads)

    def api_request(self):
        """One call over the HTTP API as bytes."""
        body = json.dumps({"tool": "desk.get_charge", "arguments": {"charge": "ch_1"}})
        return self.request("/v1/invocations", self.gate.port, body, self.token, {})

    def request(self, path, port, body, token, heads):
        heads = {"Host": f"127.0.0.1:{port}", "Content-Type": "application/json", "Content-Length": len(body), **heads}
        if token:
            heads["Authorization"] = f"Bearer {token}"
        lines = "".join(f"{name}: {value}\r\n" for name, value in heads.items())
        file = self.home / f"request-{len(list(self.home.glob('request-*')))}"
        file.write_text(f"POST {path} HTTP/1.1\r\n{lines}\r\n{body}", newline="")
        return file, port

    def calls(self, request, callers, millis, expect="cust_123"):
        """One round of load: {calls, bad, seconds, p50_us, p99_us}. Every answer holds what is expected."""
        file, port = request
        seen = load("calls", "--address", f"127.0.0.1:{port}", "--request", file, "--expect", expect,
                    "--callers", callers, "--millis", millis)
        if seen["bad"]:
            raise SystemExit(f"{seen['bad']} answers were not as expected: the figures would mean nothing ({self.home})")
        return seen

    def flushes(self, millis):
        """How often a second this disk takes an append and a flush."""
        seen = load("flushes", "--file", self.home / "flushes", "--millis", millis)
        return seen["flushes"] / seen["seconds"]


def load(*arguments):
    done = subprocess.run([str(part) for part in (LOAD, *arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def figure(values, unit="", digits=0):
    """Median and spread of the rounds."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{digits}f}{unit} ({low:,.{digits}f} to {high:,.{digits}f})"


def table(heads, rows):
    """Prints columns as wide as what stands in them."""
    widths = [max(len(str(cell)) for cell in column) for column in zip(heads, *rows)]
    for row in (heads, ["-" * width for width in widths], *rows):
        print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())


def title(what, command):
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
    print(f"{what}\n{machine}\nrepeat: {command}\n")


def closed(function):
    """Runs a benchmark and stops what it started."""
    try:
        function()
    finally:
        end()
        forget()
