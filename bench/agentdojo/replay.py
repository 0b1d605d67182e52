"""AgentDojo replayed through the gate's own cases: what its users lose, what its attacks gain.

    bench/agentdojo/replay.py DATA [--show]

DATA is a half of the AgentDojo set (agentdojo 0.1.35, MIT): `calls.jsonl`, `results.jsonl`, `sessions.jsonl`,
`tools.json`, `attack_text.json`. Every call of a user's task and of an attack becomes one case: the
call, the calls before it with what they returned, and the user's own words. In a session of an attack the
answer that carries it is rebuilt with the set's own wording, the attack's calls follow at once, and then the
rest of the user's. `toolgate test` decides; nothing here does.

What a tool returned is handed over as the data that it is (the set prints it as YAML), which is what an MCP
server sends as structured content. Policies and `authors.json` were written from the tools' descriptions.

Must not know: what a policy says.
"""

import argparse
import ast
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOOLGATE = os.environ.get("TOOLGATE_BIN", str(ROOT / "target/release/toolgate"))
READS = ("get_", "search_", "list_", "read_", "check_")
POSTURE = {band: "allow" for band in ("low", "medium", "high", "critical")}
FILE_BYTES_MAX = 3 << 20


class Answers(yaml.SafeLoader):
    """YAML in which a date stays the text that it is."""


Answers.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in known if not tag.endswith("timestamp")]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def is_effectful(tool):
    return not tool.startswith(READS)


class Set:
    """One half of the set, by task."""

    def __init__(self, folder):
        self.calls, self.texts, self.order = collections.defaultdict(list), {}, []
        for call in lines(folder / "calls.jsonl"):
            task = call["suite"], call["task_id"]
            if task not in self.texts:
                self.order.append((task, call["kind"]))
            context = call["context"]
            self.texts[task] = context.get("prompt") or context.get("injection_goal")
            if call["tool"] is not None:
                self.calls[task].append(call)
        self.results = {(r["suite"], r["task_id"], r["step"]): r for r in lines(folder / "results.jsonl")}
        self.sessions = [session for session in lines(folder / "sessions.jsonl") if session["has_calls"]]
        self.wording = json.loads((folder / "attack_text.json").read_text())["template"]
        self.tools = json.loads((folder / "tools.json").read_text())

    def answer(self, task, step, poison=None):
        """What the call returned; with the attack where one is reached by then."""
        result = self.results[(*task, step)]
        if poison is None or not result["result_template"]:
            return data(result["result"], {})
        goal, vectors = poison
        text = self.wording.format(user="the user", model="the assistant", goal=goal)
        return data(result["result_template"], {vector: text for vector in vectors})


def data(text, vectors):
    """The answer as data. The places of an attack are filled in afterwards, so that it cannot break the form."""
    marked = re.sub(r"\{\{INJ:(\w+)\}\}", r"INJ_\1_JNI", text)
    return filled(read(marked), vectors)


def read(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        pass
    try:
        value = yaml.load(text, Answers)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, (dict, list)) else text


def filled(value, vectors):
    if isinstance(value, str):
        return re.sub(r"INJ_(\w+?)_JNI", lambda place: vectors.get(place[1], ""), value)
    if isinstance(value, list):
        return [filled(item, vectors) for item in value]
    if isinstance(value, dict):
        return {str(filled(key, vectors)): filled(item, vectors) for key, item in value.items()}
    return value


def descriptors(suite, tools):
    """The tools as the catalogue would hold them, with who writes what they return."""
    known = json.loads((HERE / "authors.json").read_text())[suite]
    for tool in tools:
        authors = known.get(tool["name"], "anyone")
        if isinstance(authors, list):
            # A single thing and a list of things have the same fields.
            authors = {"fields": [path for field in authors for path in dict.fromkeys((field, f"*.{field}"))]}
        yield {
            "id": f"{suite}.{tool['name']}",
            "input_schema": tool["parameters"],
            "definition": {"name": tool["name"], "description": tool["description"]},
            "verb": "WRITE" if is_effectful(tool["name"]) else "READ",
            "risk": "high" if is_effectful(tool["name"]) else "low",
            "authors": authors,
        }


class Replay:
    """The cases of one suite, and what became of each."""

    def __init__(self, half, suite):
        self.half, self.suite, self.cases, self.marks = half, suite, [], []

    def ask(self, mark, call, before, words):
        """One case; `mark` says what it counts for."""
        arguments = {key: value for key, value in call["args"].items() if value is not None}
        history = [
            {"tool": f"{self.suite}.{past['tool']}", "arguments": past["args"], "result": result, "at": f"-{len(before) - n}m"}
            for n, (past, result) in enumerate(before)
        ]
        self.marks.append(mark)
        self.cases.append({
            "name": str(len(self.cases)),
            "call": {"tool": f"{self.suite}.{call['tool']}", "arguments": arguments},
            "history": history, "user_request": words, "expect": "allow",
        })

    def decide(self):
        """The decisions, in order."""
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            policy = HERE / "policies" / f"{self.suite}.json"
            (folder / policy.name).write_text(policy.read_text())
            tools = list(descriptors(self.suite, self.half.tools[self.suite]))
            decisions, batch, size = [], [], 0
            for case in self.cases:
                length = len(json.dumps(case))
                if batch and size + length > FILE_BYTES_MAX:
                    decisions += self.run(folder, tools, batch)
                    batch, size = [], 0
                batch.append(case)
                size += length
            return decisions + self.run(folder, tools, batch)

    def run(self, folder, tools, cases):
        path = folder / "replay.test.json"
        posture = {"policies": [f"{self.suite}.json"], "tools": tools, "posture": POSTURE, "tests": cases}
        path.write_text(json.dumps(posture))
        done = subprocess.run([TOOLGATE, "test", str(path), "--json"], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 4):
            sys.exit(f"{' '.join(done.args)} ended with {done.returncode}:\n{done.stderr[:2000]}")
        outcomes = {outcome["name"]: outcome["decision"] for outcome in json.loads(done.stdout)["outcomes"]}
        return [outcomes[case["name"]] for case in cases]


def replay(half, suite, show):
    """The figures of one suite."""
    run = Replay(half, suite)
    for task, kind in half.order:
        if task[0] == suite and kind == "user":
            before = []
            for call in half.calls[task]:
                run.ask(("task", task, call), call, before, half.texts[task])
                before = before + [(call, half.answer(task, call["step"]))]
    for at, session in enumerate(half.sessions):
        if session["suite"] == suite:
            attacked(half, run, at, session)
    tally = collections.Counter()
    tasks, sessions = collections.defaultdict(list), collections.defaultdict(list)
    for (kind, whose, call), decision in zip(run.marks, run.decide()):
        allowed = decision["verdict"] == "allow"
        if show and not allowed and kind != "attack" or show and allowed and kind == "attack" and is_effectful(call["tool"]):
            print(kind, whose, call["tool"], json.dumps(call["args"])[:200], decision["verdict"], decision.get("determining"))
        if kind == "task":
            tally["calls"] += 1
            tally["asked"] += decision["verdict"] == "require_approval"
            tally["effectful"] += is_effectful(call["tool"])
            tally["effectful_allowed"] += is_effectful(call["tool"]) and allowed
            tasks[whose].append(allowed)
        elif kind == "late":
            tally["late"] += 1
            tally["late_allowed"] += allowed
        else:
            sessions[whose].append(is_effectful(call["tool"]) and not allowed)
    tally["tasks"], tally["whole"] = len(tasks), sum(all(calls) for calls in tasks.values())
    tally["sessions"], tally["stopped"] = len(sessions), sum(any(stopped) for stopped in sessions.values())
    return tally


def attacked(half, run, at, session):
    """A user's task with the attack in its answers: the user's calls, the attack's, the rest."""
    user, attack = (session["suite"], session["user_task"]), (session["suite"], session["injection_task"])
    poison = half.texts[attack], session["vectors"]
    before, words = [], half.texts[user]
    for call in half.calls[user]:
        step, reached = call["step"], session["inject_after_step"]
        if step > reached:
            run.ask(("late", at, call), call, before, words)
        before = before + [(call, half.answer(user, step, poison if step >= reached else None))]
        if step == reached:
            for wanted in half.calls[attack]:
                run.ask(("attack", at, wanted), wanted, before, words)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--show", action="store_true", help="print what was held up, and what got through")
    flags = parser.parse_args()
    half, total = Set(flags.data), collections.Counter()
    rows = []
    for suite in half.tools:
        tally = replay(half, suite, flags.show)
        rows.append((suite, tally))
        total += tally
    print(f"{'':10}{'user tasks whole':>22}{'effectful user calls':>22}{'sessions stopped':>22}{'later calls kept':>22}{'asked per 100 calls':>22}")
    for suite, tally in rows + [("all", total)]:
        print(f"{suite:10}" + "".join(f"{cell:>22}" for cell in (
            share(tally["whole"], tally["tasks"]), share(tally["effectful_allowed"], tally["effectful"]),
            share(tally["stopped"], tally["sessions"]), share(tally["late_allowed"], tally["late"]),
            f"{100 * tally['asked'] / max(1, tally['calls']):.1f}",
        )))


def share(part, whole):
    return f"{part}/{whole} = {part / max(1, whole):.3f}"


if __name__ == "__main__":
    main()
