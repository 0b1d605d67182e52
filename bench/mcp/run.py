#!/usr/bin/env python3
"""One tool call, direct and through gateways, side by side: latency, processor time, throughput, memory.

    bench/mcp/run.sh                    builds what is missing, then this

One small server of tools. The same client calls it directly, through Toolgate twice (transparent: one
source under bare names, one rule that allows; governed: fifty-two rules, of which twelve read this
tool's arguments), through the FastMCP proxy and through mcp-proxy from crates.io. Rounds are taken in
turns, every way in each round; figures are medians with the lowest and the highest. Every answer
is checked to be the answer to its own question; a way that gets one wrong has no figures. Must not
know: how fast anything should be.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from parts import ROOT, closed, figure, load, table, title  # noqa: E402
from kit import Failed, Gate, Process, at_end, check, clean_environment, folder, free_port, wait_for  # noqa: E402
import provision  # noqa: E402

BINARIES = pathlib.Path(os.environ.get("BENCH_MCP_BIN", HERE / "target/release"))
PEERS = ROOT / "target/bench/peers"
FASTMCP = "FastMCP 4.1.2 proxy"
MCP_PROXY = "mcp-proxy 0.6.0"
SOURCES, TOOLS = 50, 100  # Of the listing: five thousand tools.
ERAS = ("modern", "legacy")

FASTMCP_SCRIPT = """
import json, sys
from fastmcp.server import create_proxy
what = json.loads(sys.argv[1])
create_proxy(what).run(transport="http", host="127.0.0.1", port=int(sys.argv[2]), stateless_http=True, show_banner=False)
"""


class Upstream:
    """The servers of tools: many in one process, so that what they cost stays theirs."""

    def __init__(self, home, servers, tools):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = Process([BINARIES / "bench-upstream", servers, tools], home / "upstream.log", **pipes)
        at_end(self.process.kill)
        self.port = json.loads(self.process.child.stdout.readline())["port"]
        self.names = [f"s{number:02}" for number in range(servers)]

    def url(self, name):
        return f"http://127.0.0.1:{self.port}/{name}/mcp"


class Way:
    """One way to the tools: where a client connects, and which process is in between."""

    def __init__(self, name, port, path, tool, process=None, token=None):
        self.name, self.port, self.path, self.tool, self.token = name, port, path, tool, token
        self.pid = process and process.child.pid

    def asked(self, job, era, *more):
        place = ["--port", self.port, "--path", self.path, "--era", era]
        token = ["--token", self.token] if self.token else []
        done = subprocess.run([str(part) for part in (BINARIES / "bench-load", job, *place, *token, *more)],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(done.stderr.strip())
        return json.loads(done.stdout)

    def calls(self, era, callers, millis):
        """One round: what the client saw, and the processor time of what is in between."""
        before = self.cpu_nanos()
        seen = self.asked("calls", era, "--tool", self.tool, "--callers", callers, "--millis", millis)
        if seen["bad"] or not seen["calls"]:
            raise Failed(f"{seen['bad']} of {seen['bad'] + seen['calls']} answers were wrong: {str(seen['first_bad'])[:200]}")
        return {**seen, "rate": seen["calls"] / seen["seconds"], "cpu_ms": (self.cpu_nanos() - before) / 1e6 / seen["calls"]}

    def cpu_nanos(self):
        # The clock of another process: CPUCLOCK_SCHED of its id, as `clock_getcpuclockid` makes it.
        return time.clock_gettime_ns((~self.pid << 3) | 2) if self.pid else 0

    def memory_mib(self):
        lines = pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def direct(upstream):
    return Way("direct", upstream.port, "/s00/mcp", "tool_000")


def sources(upstream, extra=""):
    return "".join(f'[[source]]\nname = "{name}"\nmcp = {{ url = "{upstream.url(name)}" }}\n{extra}' for name in upstream.names)


def gate(name, upstream, tool, config, policy):
    """A gate with a policy in front of all servers, and an agent that may use every tool."""
    made = Gate(config, {"bench.json": policy}, name="bench-mcp").opened()
    insisted(made, "agent", "add", "bench", "--owner", "ana@acme.com", "--tool", "*")
    token = insisted(made, "key", "create", "bench")["token"]
    made.wait_tools(token, *(f"{source}.tool_000" for source in upstream.names))
    return Way(name, made.port, "/mcp", tool, made.process, token)


def insisted(made, *arguments):
    """A change that people make, again where a source that came up meanwhile moved the configuration on."""

    def done():
        said = made.cli(*arguments, exit=(0, 7))
        return said if "error" not in said else None

    return wait_for(f"`toolgate {' '.join(arguments)}` to be taken", done)


READ = '[tools."s00.tool_000"]\nrisk = "low"\neffect = "none"\n'


def transparent(upstream):
    policy = {"name": "bench", "rules": [{"rule_id": "all", "when": "env != nowhere", "effect": "allow"}]}
    config = "[mcp]\nown_tools = false\n" + sources(upstream, 'names = "bare"\n') + READ
    return gate("Toolgate, transparent", upstream, "tool_000", config, policy)


def governed(upstream, name="Toolgate, 52 rules"):
    return gate(name, upstream, "s00__tool_000", sources(upstream) + READ, {"name": "bench", "rules": rules()})


def rules():
    """Fifty-two rules: two allow what is called, ten more read its arguments, forty are about other tools."""
    about = "tool == s00.tool_000"
    mine = [{"rule_id": "reads", "when": f"{about} and n >= 0", "effect": "allow"},
            {"rule_id": "tools", "when": "tool == s00.tool_000 or tool == s00.tool_001", "effect": "allow"}]
    mine += [{"rule_id": f"limit-{number}", "when": f"{about} and n > {9 * 10**14 + number}", "effect": "deny"} for number in range(5)]
    mine += [{"rule_id": f"customer-{number}", "when": f"{about} and exists(customer) and customer == cust_{number} and region == south",
              "effect": "require_approval"} for number in range(5)]
    others = [{"rule_id": f"other-{number}", "when": f"tool == s00.tool_{number:03} and limit > {number}", "effect": "require_approval"}
              for number in range(10, 50)]
    return mine + others


def fastmcp(upstream):
    place, requirements = PEERS / "fastmcp", HERE.parent / "peers/fastmcp.txt"
    provision.environment(place, requirements, "the FastMCP proxy")
    servers = {"mcpServers": {name: {"url": upstream.url(name), "transport": "http"} for name in upstream.names}}
    one = len(upstream.names) == 1
    what = upstream.url(upstream.names[0]) if one else servers
    tool = "tool_000" if one else "s00_tool_000"
    command = [place / "bin/python", "-c", FASTMCP_SCRIPT, json.dumps(what)]
    return peer(FASTMCP, lambda port: [*command, port], "/mcp", tool)


def mcp_proxy(upstream):
    program = PEERS / "mcp-proxy/bin/mcp-proxy"
    check(program.exists(), f"there is no `{program}`: bench/mcp/run.sh installs it")
    home = folder("mcp-proxy")

    def command(port):
        listen = f'[proxy]\nname = "bench"\nseparator = "_"\n[proxy.listen]\nhost = "127.0.0.1"\nport = {port}\n'
        each = (f'[[backends]]\nname = "{name}"\ntransport = "http"\nurl = "{upstream.url(name)}"\n' for name in upstream.names)
        (home / "proxy.toml").write_text(listen + "".join(each))
        return [program, "--config", home / "proxy.toml"]

    return peer(MCP_PROXY, command, "/", "s00_tool_000")


def peer(name, command, path, tool):
    """A gateway of somebody else's, once it lists tools."""
    home, port = folder("bench-peer"), free_port()
    process = Process(command(port), home / "peer.log", cwd=home, env=clean_environment())
    at_end(process.kill)
    way = Way(name, port, path, tool, process)

    def there():
        check(process.running, f"{name} ended by itself ({home}/peer.log)")
        try:
            return way.asked("list", "legacy", "--times", 1)["tools"]
        except Failed:
            return None

    wait_for(f"{name} to list tools ({home}/peer.log)", there)
    return way


def tried(makers, upstream):
    """The ways that came up; of another it is said why not."""
    for maker in makers:
        try:
            yield maker(upstream)
        except Failed as error:
            print(f"not compared: {maker.__name__}: {error}\n", file=sys.stderr)


def measure(ways, era, callers, options):
    """Rounds in turns. A way that gets an answer wrong is left out from then on, and named."""
    seen, out = {way.name: [] for way in ways}, {}
    for number in range(-1, options.rounds):
        for way in ways:
            if way.name in out:
                continue
            try:
                one = way.calls(era, callers, options.millis)
            except Failed as error:
                out[way.name] = str(error)
                continue
            if number >= 0:  # The first round warms.
                seen[way.name].append(one)
    return {name: rounds for name, rounds in seen.items() if name not in out}, out


def show_calls(ways, era, callers, options):
    seen, out = measure(ways, era, callers, options)
    base = seen["direct"]
    rows = []
    for name, rounds in seen.items():
        of = lambda key, digits=0: figure([one[key] for one in rounds], "", digits)  # noqa: E731
        added = figure([one["p50_us"] - two["p50_us"] for one, two in zip(rounds, base)])
        added_99 = figure([one["p99_us"] - two["p99_us"] for one, two in zip(rounds, base)])
        plain = name == "direct"
        rows.append([name, of("p50_us"), of("p99_us"), *(("", "") if plain else (added, added_99)), of("rate"),
                     "" if plain else of("cpu_ms", 3)])
    print(f"\n{era} era, {callers} client{'s' if callers > 1 else ''}\n")
    table(["", "p50 µs", "p99 µs", "added p50 µs", "added p99 µs", "calls/s", "CPU ms a call"], rows)
    for name, why in out.items():
        print(f"{name}: no figures, {why}")
    return {"era": era, "callers": callers, "rounds": seen, "out": out}


def show_listing(options, home):
    """Memory and `tools/list` with fifty servers of a hundred tools."""
    upstream = Upstream(home, SOURCES, TOOLS)
    rows, said = [], []
    for way in tried([lambda up: governed(up, "Toolgate"), fastmcp, mcp_proxy], upstream):
        idle = way.memory_mib()
        for era in ERAS:
            try:
                seen = way.asked("list", era, "--times", options.listings)
            except Failed as error:
                print(f"{way.name}, {era}: no figures, {str(error)[:200]}")
                continue
            millis = [micros / 1e3 for micros in seen["micros"]]
            rows.append([way.name, era, seen["tools"], seen["pages"], f"{seen['bytes'] / 1e6:.1f}", figure(millis, "", 1),
                         f"{idle:.0f}", f"{way.memory_mib():.0f}"])
            said.append({"way": way.name, "era": era, **seen, "idle_mib": idle, "after_mib": way.memory_mib()})
    print(f"\n{SOURCES} servers of {TOOLS} tools\n")
    table(["", "era", "tools", "pages", "MB", "whole list ms", "RSS MiB at rest", "RSS MiB after listing"], rows)
    return said


def main():
    parser = argparse.ArgumentParser(description="One MCP tool call, direct and through gateways.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--millis", type=int, default=1500, help="of one round")
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--listings", type=int, default=7)
    parser.add_argument("--only", choices=("calls", "list"))
    parser.add_argument("--json", type=pathlib.Path, help="a file for every round's figures")
    options = parser.parse_args()
    # Beside the sources and not in /tmp, which may be memory: the store's disk is part of the figures.
    place = ROOT / "target/bench"
    place.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = str(place)
    home = folder("bench-mcp")
    title("one MCP tool call, direct and through gateways",
          f"bench/mcp/run.sh --rounds {options.rounds} --millis {options.millis} --listings {options.listings}")
    said = {}
    if options.only != "list":
        upstream = Upstream(home, 1, 50)
        ways = list(tried([direct, transparent, governed, fastmcp, mcp_proxy], upstream))
        said["calls"] = [show_calls(ways, era, callers, options) for era in ERAS for callers in options.callers]
        probe = ["flushes", "--file", home / "flushes", "--millis", 1000]
        flushes = [1e6 * one["seconds"] / one["flushes"] for one in (load(*probe) for _ in range(3))]
        print(f"\none flush of this disk: {figure(flushes)} µs")
    if options.only != "calls":
        said["listing"] = show_listing(options, home)
    if options.json:
        options.json.write_text(json.dumps(said, indent=1) + "\n")


closed(main)
