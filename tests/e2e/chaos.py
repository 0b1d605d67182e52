"""One of three servers is killed, stalled or corrupted in the middle of calls; the others do not notice.

Three servers stand behind one gate, two on standard streams and one on HTTP, all under steady
calls. One of them is broken in one way after another, again and again while its calls are under
way. The calls of the other two must all succeed with their own answers; what they took, before and
meanwhile, is printed and not judged. Afterwards the broken one is well again, and its next call
must succeed.

Must not know: how the gate keeps servers apart.
"""

import json
import os
import pathlib
import signal
import sys
import threading
import time

from kit import Gate, HERE, Process, at_end, equal, folder, free_port, stage, test, wait_for

CALLS = 40  # of each caller in each phase
CALLERS = 3  # of each server that stays well
VICTIM_CALLERS = 4
NAMES = ("one", "two", "web")
POLICY = {"name": "all", "rules": [{"rule_id": "all", "match": {"tools": ["*"]}, "action": "allow"}]}
FAULTS = ("killed", "stalled", "garbage", "half", "ids", "huge", "flood", "mute")


def configure(_options):
    """Nothing to configure."""


class Upstream:
    """A frail server on standard streams: the gate starts it."""

    def __init__(self, home, name):
        self.name, self.place = name, pathlib.Path(home) / name
        self.command = [sys.executable, str(HERE / "servers/frail.py"), "stdio", str(self.place)]

    def source(self):
        return self.table(f"command = {json.dumps(self.command)}")

    def table(self, where):
        return (f'[[source]]\nname = "{self.name}"\nera = "legacy"\ntimeout = "2s"\nmessage_bytes = 1048576\n'
                f"mcp = {{ {where} }}\n")

    @property
    def pid(self):
        try:
            return int(self.place.with_suffix(".pid").read_text())
        except (OSError, ValueError):
            return None

    def signalled(self, number):
        """Whether there was a process to send this to."""
        try:
            os.kill(self.pid or 0, number) if self.pid else None
            return self.pid is not None
        except ProcessLookupError:
            return False

    def breaks(self, fault, over):
        """Breaks it in one way until `over` is set; says how often."""
        if fault == "killed":
            return self.killed(over)
        if fault == "stalled":
            return self.stalled(over)
        self.place.with_suffix(".fault").write_text(fault)
        over.wait()
        self.place.with_suffix(".fault").unlink()
        return None

    def killed(self, over):
        count, last = 0, None
        while not over.is_set():
            if self.pid != last:
                last = self.pid
                count += self.signalled(signal.SIGKILL)
            over.wait(0.05)
        return count

    def stalled(self, over):
        """Stops whatever process it is, as often as there is another."""
        stopped = []
        while not over.is_set():
            if self.pid not in stopped and self.signalled(signal.SIGSTOP):
                stopped.append(self.pid)
            over.wait(0.05)
        self.signalled(signal.SIGCONT)
        return len(stopped)


class Web(Upstream):
    """The same over HTTP: whoever runs the test starts it."""

    def __init__(self, home, name):
        super().__init__(home, name)
        self.port, self.process, self.ended = free_port(), None, False
        self.command[2:] = ["http", str(self.place), str(self.port)]
        self.keeper = threading.Thread(target=self.keep, daemon=True)
        at_end(self.end)
        self.keeper.start()

    def keep(self):
        """Starts it, and again whenever it died."""
        while not self.ended:
            if self.process is None or not self.process.running:
                self.process = Process(self.command, self.place.with_suffix(".log"))
            time.sleep(0.02)

    def end(self):
        self.ended = True
        self.keeper.join()
        self.signalled(signal.SIGCONT)
        self.process.kill()

    def source(self):
        return self.table(f'url = "http://127.0.0.1:{self.port}/mcp"')


class Stage:
    def __init__(self):
        home = folder("chaos")
        self.upstreams = {name: (Web if name == "web" else Upstream)(home, name) for name in NAMES}
        config = '[posture]\nlow = "allow"\nmedium = "allow"\nhigh = "allow"\ncritical = "allow"\n'
        config += "".join(upstream.source() for upstream in self.upstreams.values())
        self.gate = Gate(config, {"all.json": POLICY}, home).opened()
        grants = [part for name in NAMES for part in ("--tool", f"{name}.*")]
        self.token = self.gate.agent("steady", *grants)
        self.gate.wait_tools(self.token, *(f"{name}.echo" for name in NAMES))
        self.count = 0
        self.lock = threading.Lock()

    def call(self, name):
        """Calls a server with something new; says what is wrong, and how long it took."""
        with self.lock:
            self.count += 1
            mark = f"{name}-{self.count}"
        started = time.perf_counter()
        envelope = self.gate.invoke(self.token, f"{name}.echo", {"n": mark})
        took = time.perf_counter() - started
        texts = [part.get("text") for part in (envelope.get("data") or {}).get("content", [])]
        well = envelope["outcome"] == "success" and texts == [mark]
        return None if well else f"{mark}: {json.dumps(envelope)[:400]}", took

    def steady(self, names):
        """Steady calls of these servers: what went wrong, and what each took."""
        wrong, took = [], []

        def run(name):
            for _ in range(CALLS):
                try:
                    error, seconds = self.call(name)
                except Exception as failed:
                    error, seconds = f"{name}: {failed}", 0
                took.append(seconds)
                wrong.extend([error] if error else [])

        threads = [threading.Thread(target=run, args=[name]) for name in names for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return wrong, sorted(took)

    def pestered(self, victim, over, answers):
        """Calls the victim until it is over; whatever is answered is an answer of the gate's."""
        while not over.is_set():
            try:
                error, _ = self.call(victim)
                answers.append("well" if error is None else "not well")
            except Exception as failed:
                answers.append(f"no answer: {failed}")


on = stage(Stage)


def chaos(victim, fault):
    upstream = on().upstreams[victim]
    others = [name for name in NAMES if name != victim]
    over, answers, times = threading.Event(), [], []
    breaking = threading.Thread(target=lambda: times.append(upstream.breaks(fault, over)))
    pestering = [threading.Thread(target=on().pestered, args=[victim, over, answers]) for _ in range(VICTIM_CALLERS)]
    for thread in pestering:
        thread.start()
    before = on().steady(others)
    started = len(answers)
    breaking.start()
    try:
        # The fault is felt before the steady calls are counted.
        wait_for(f"`{victim}` to be {fault}", lambda: "not well" in answers[started:])
        meanwhile = on().steady(others)
    finally:
        over.set()
        for thread in (*pestering, breaking):
            thread.join()
    own = f"{answers[started:].count('well')} of {len(answers) - started} of its own well"
    told(f"{victim} {fault}" + (f" {times[0]} times" if times[0] else ""), before, meanwhile, own)
    for when, (wrong, took) in (("before", before), ("meanwhile", meanwhile)):
        equal(wrong[:3], [], f"calls of the others {when}, of {len(took)}")
        equal(len(took), len(others) * CALLERS * CALLS, f"calls of the others {when}")
    strange = [answer for answer in answers if answer.startswith("no answer")]
    equal(strange[:3], [], "the victim's own calls are answered by the gate")
    wait_for(f"`{victim}` to be well again", lambda: on().call(victim)[0] is None, 120)


def told(what, before, meanwhile, own):
    (_, took_before), (wrong, took) = before, meanwhile
    percentiles = ", ".join(f"p{n} {at(took_before, n)} → {at(took, n)} ms" for n in (50, 99))
    print(f"     {what}: {len(took)} calls of the others, {len(wrong)} failed, {percentiles}; {own}")


def at(took, percent):
    return round(1000 * took[min(len(took) - 1, len(took) * percent // 100)], 1)


def add(victim, fault):
    how = {"killed": "killed", "stalled": "stopped in its tracks", "mute": "silent"}.get(fault, f"corrupted ({fault})")
    kind = "over HTTP" if victim == "web" else "on standard streams"
    test(f"a server {kind} that is {how} leaves the others' calls untouched")(lambda: chaos(victim, fault))


for one in ("two", "web"):
    for way in FAULTS:
        add(one, way)
