"""The policy corpus through the command line and HTTP: every face gives the same answer.

`corpus/rows`, `corpus/odd` and `packs` hold cases as files; the library runs them in
`crates/tools/tests/corpus.rs`. Here each goes through

    test      toolgate test FILE                       (all of them)
    tried     POST /v1/policies/test                   (all of them)
    eval      toolgate eval -f CALL --policy …         (a call with nothing before it)
    evaluate  POST /v1/evaluate, on a gate that has these policies and real MCP servers for the tools
    played    the history made as real calls, then the call with mode `decide`

and verdict, code, rules and replaced places have to agree. What a face cannot express is listed
by name. The cases of `corpus/policy` go through the faces as far as they are calls.
"""

import concurrent.futures
import copy
import datetime
import json
import os
import pathlib
import subprocess
import sys

from kit import (
    HERE, ROOT, TOOLGATE, Failed, Gate, check, clean_environment, equal, folder, problem, shown, stage, test, wait_for,
)

FOLDERS = ["corpus/rows", "corpus/odd", "packs"]
SERVER = HERE / "servers/catalogue.py"


def configure(_options):
    """Nothing to configure."""


class Suite:
    """One file of cases, with the documents that it is about."""

    def __init__(self, path):
        self.path = path
        self.name = str(path.relative_to(ROOT))
        self.text = path.read_text()
        self.file = json.loads(self.text)
        self.tools = self.file.get("tools", [])
        self.cases = self.file["tests"]
        named = self.file.get("policies") or [path.name.replace(".test.json", ".json")]
        self.documents = [(path.parent / name).resolve() for name in named]

    def own(self):
        """The configuration that the file states."""
        text = f"own_domains = {json.dumps(self.file['own_domains'])}\n" if "own_domains" in self.file else ""
        posture = self.file.get("posture", {})
        rows = [f'{risk} = "{stance}"\n' for risk, stance in posture.items()]
        return text + ("[posture]\n" + "".join(rows) if rows else "")

    def policies(self):
        return {document.name: document.read_text() for document in self.documents}

    def has_words(self, *words):
        return any(word in text for text in self.policies().values() for word in words)


def suites():
    found = [Suite(path) for name in FOLDERS for path in sorted((ROOT / name).rglob("*.test.json"))]
    check(len(found) > 40, f"only {len(found)} files of cases")
    return found


def essence(decision, denial):
    """What every face has to agree on."""
    rules = decision["matched"] if "matched" in decision else decision["rules"]
    details = (denial or {}).get("details", {})
    return {
        "verdict": decision["verdict"],
        "code": (denial or {}).get("code"),
        "rule_code": details.get("rule_code"),
        "rule": f"{details['policy']}/{details['rule']}" if "rule" in details else None,
        "rules": [(f"{rule['policy']}/{rule['rule']}", rule["truth"], rule.get("monitor", False)) for rule in rules],
        "obligations": sorted(decision["obligations"]),
        "sanitized": sorted((one["kind"], one["path"]) for one in decision["sanitized"]),
    }


def of_outcome(outcome):
    return essence(outcome["decision"], outcome["decision"].get("denial"))


def differing(known, other):
    """The keys that two faces give differently."""
    return [f"{key}: {known[key]} and {other[key]}" for key in known if known[key] != other[key]]


def run(arguments, cwd, exit=None):
    """The command line without a gate; its data and its exit code."""
    command = [str(part) for part in (TOOLGATE, *arguments, "--json")]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), cwd=cwd, timeout=300)
    if exit is not None:
        equal(done.returncode, exit, f"`toolgate {' '.join(command[1:])}` {shown(done.stdout + done.stderr)}")
    try:
        return json.loads(done.stdout), done.returncode
    except ValueError:
        raise Failed(f"`toolgate {' '.join(command[1:])}` gave no JSON: {shown(done.stdout + done.stderr)}")


def none(found, what):
    check(not found, f"{len(found)} {what}\n       " + "\n       ".join(found[:40]))


def listed(face, left, made):
    """Says what a face could not express, by name and reason."""
    by_reason = {}
    for reason, name in left:
        by_reason.setdefault(reason, []).append(name)
    print(f"     {face}: {made} cases; not expressed: {len(left)}")
    for reason, names in sorted(by_reason.items()):
        print(f"       {reason} ({len(names)}): {'; '.join(names)}")


@stage
def by_test():
    """The outcome of every case by `toolgate test`, by file and name."""
    data, _ = run(["test", *(suite.path for suite in suites())], folder("corpus-test"))
    check("outcomes" in data, shown(data))
    inside = lambda file: str(pathlib.Path(file).resolve().relative_to(ROOT))
    return {(inside(outcome["file"]), outcome["name"]): outcome for outcome in data["outcomes"]}


@test("toolgate test: every case of the corpus and the packs comes out as written")
def by_command():
    failed = [f"{file}: {name}: {shown(one['differences'], 200)}" for (file, name), one in by_test().items() if not one["passed"]]
    equal(len(by_test()), sum(len(suite.cases) for suite in suites()), "cases with names of their own")
    none(failed, "cases fail")


@test("POST /v1/policies/test: the same cases come out the same")
def by_request():
    differences = []
    with Gate("", {}, name="corpus-tried") as gate:
        for suite in suites():
            documents = [{"name": document.stem, "text": document.read_text()} for document in suite.documents]
            body = {"documents": documents, "cases": suite.text, "alone": True}
            answer = gate.http("POST", "/v1/policies/test", body, gate.admin)
            equal(answer.status, 200, f"{suite.name}: {answer}")
            for outcome in answer.json["outcomes"]:
                known = by_test()[suite.name, outcome["name"]]
                found = differing(of_outcome(known), of_outcome(outcome))
                differences += [f"{suite.name}: {outcome['name']}: {one}" for one in found]
    none(differences, "answers differ")


NOT_BY_EVAL = ["history", "entity", "approval", "user_request", "result"]


def why_not_eval(suite, case):
    """Why `toolgate eval` cannot be told what the case describes."""
    described = {tool["id"] for tool in suite.tools}
    reason = next((key for key in NOT_BY_EVAL if key in case), None)
    return reason or (None if case["call"].get("tool") in {None, *described} else "a tool that is assumed")


def evaluated(suite):
    """What `toolgate eval` says of each call of a suite: differences to `toolgate test`."""
    here, differences = folder("corpus-eval"), []
    (here / "toolgate.toml").write_text(suite.own())
    (here / "tools.json").write_text(json.dumps({"tools": suite.tools}))
    policies = [part for document in suite.documents for part in ("--policy", document)]
    for case in suite.cases:
        if why_not_eval(suite, case):
            continue
        label = f"{suite.name}: {case['name']}"
        (here / "call.json").write_text(json.dumps({"at": case.get("now", CASE_NOW), **case["call"]}))
        data, exit = run(["eval", "-f", "call.json", "--tools", "tools.json", *policies], here)
        check("decision" in data, f"{label}: {shown(data)}")
        known, found = of_outcome(by_test()[suite.name, case["name"]]), essence(data["decision"], data["decision"].get("denial"))
        differences += [f"{label}: {one}" for one in differing(known, found)]
        wanted = {"allow": 0, "sanitize": 0, "require_approval": 6, "deny": 5}[found["verdict"]]
        if found["code"] != "gate_unavailable" and exit != wanted:
            differences.append(f"{label}: exit {exit} for {found['verdict']}")
    return differences


@test("toolgate eval: calls with nothing before them come out the same")
def by_eval():
    by_test()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        differences = [one for found in pool.map(evaluated, suites()) for one in found]
    reasons = [(why_not_eval(suite, case), case["name"]) for suite in suites() for case in suite.cases]
    left = [(reason, name) for reason, name in reasons if reason]
    listed("eval", left, len(reasons) - len(left))
    none(differences, "answers differ")


# ---- a gate that really has these tools

NOT_BY_TOML = {"method": "a tool with an HTTP method", "risk_score": "a tool with a score beside its risk"}


class Staged:
    """A gate with the documents and tools of one suite, each source a real MCP server."""

    def __init__(self, suite, results=()):
        self.suite, self.agents, self.tokens = suite, {}, {}
        home = folder("corpus-gate")
        sources = {}
        for tool in suite.tools:
            sources.setdefault(tool["id"].split(".", 1)[0], []).append(tool)
        config = suite.own().split("[posture]")
        text = config[0] + "".join(f"[posture]{rest}" for rest in config[1:])
        for name, tools in sources.items():
            offered = [self.definition(tool) for tool in tools]
            own = [one for one in results if one["tool"].split(".", 1)[0] == name]
            own = [{**one, "tool": one["tool"].split(".", 1)[1]} for one in own]
            (home / f"{name}.json").write_text(json.dumps({"tools": offered, "results": own}))
            command = [sys.executable, str(SERVER), str(home / f"{name}.json")]
            text += f'[[source]]\nname = "{name}"\nmcp = {{ command = {json.dumps(command)} }}\n'
        for tool in suite.tools:
            text += self.override(tool)
        self.gate = Gate(text, suite.policies(), home)

    @staticmethod
    def definition(tool):
        given = tool.get("definition") or {}
        return {"description": "", **given, "name": tool["id"].split(".", 1)[1], "inputSchema": tool["input_schema"]}

    @staticmethod
    def override(tool):
        text = f'[tools."{tool["id"]}"]\nrisk = "{tool["risk"]}"\nverb = "{tool["verb"]}"\n'
        for key in ("resource", "category"):
            text += f'{key} = {json.dumps(tool[key])}\n' if key in tool else ""
        mapped = ", ".join(f"{key} = {json.dumps(value)}" for key, value in tool.get("attributes", {}).items())
        return text + (f"attributes = {{ {mapped} }}\n" if mapped else "")

    def __enter__(self):
        self.gate.__enter__()
        names = {tool["id"] for tool in self.suite.tools}
        known = lambda: names <= {tool["id"] for tool in self.gate.cli("tool", "ls")["items"]}
        wait_for(f"the tools of {self.suite.name}", known)
        # What a gate remembers is read back at its start, as far as the rules then in force ask:
        # rules that came later and ask further back have an answer after the next one.
        if self.suite.has_words("7d", "30d", "31d"):
            self.gate.kill()
            self.gate.start()
            wait_for(f"the tools of {self.suite.name} again", known)
        return self

    def __exit__(self, *error):
        return self.gate.__exit__(*error)

    def agent(self, call):
        """The agent of a call, made when it is first needed."""
        name = call.get("agent", "case_agent")
        told = tuple((key, call[key]) for key in ("role", "runtime", "project") if key in call)
        if name not in self.agents:
            self.agents[name] = told
            flags = [part for key, value in told for part in (f"--{key}", value)]
            self.tokens[name] = self.gate.agent(name, "--admin", "--trusted-host", *flags)
        equal(self.agents[name], told, f"{self.suite.name}: what `{name}` is, in all its cases")
        return name


def not_on_a_gate(suite, case):
    """Why a gate cannot be put into what the case describes."""
    tool = next((tool for tool in suite.tools if tool["id"] == case["call"].get("tool")), None)
    for key, reason in NOT_BY_TOML.items():
        if key in (tool or {}):
            return reason
    if tool is None and "http" not in case["call"]:
        return "a tool that is assumed"
    for key in ("entity", "approval", "result"):
        if key in case:
            return key
    return "user" if "user" in case["call"] else None


PAST = ("limit", "rate(", "sum(", "session", "new_resource", "volume_burst", "has_read", "source(")
CASE_NOW = "2026-06-16T15:14:22Z"


def at(suite, case):
    """The instant of a case. What a gate remembers begins when it begins: where rules ask for earlier
    calls, the same hour of the same weekday to come is taken."""
    now = datetime.datetime.fromisoformat(case.get("now", CASE_NOW))
    if suite.has_words(*PAST):
        today = datetime.datetime.now(datetime.timezone.utc)
        while now < today:
            now += datetime.timedelta(days=7)
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def not_evaluated(suite, case):
    """Why `POST /v1/evaluate` cannot be told what the case describes."""
    reason = not_on_a_gate(suite, case) or next((key for key in ("history", "user_request") if key in case), None)
    dated = suite.has_words("time.date") and "date" in json.dumps(case["call"])
    return reason or ("a date, where rules ask for earlier calls" if dated and suite.has_words(*PAST) else None)


@test("POST /v1/evaluate, on gates that have these policies and tools: the same")
def by_evaluate():
    differences, left, made = [], [], 0
    for suite in suites():
        reasons = [not_evaluated(suite, case) for case in suite.cases]
        left += [(reason, case["name"]) for reason, case in zip(reasons, suite.cases) if reason]
        cases = [case for reason, case in zip(reasons, suite.cases) if not reason]
        if not cases:
            continue
        with Staged(suite) as staged:
            for case in cases:
                call = {key: value for key, value in case["call"].items() if key not in ("role", "runtime", "project")}
                body = {**call, "agent": staged.agent(case["call"]), "at": at(suite, case)}
                answer = staged.gate.http("POST", "/v1/evaluate", body, staged.gate.admin)
                equal(answer.status, 200, f"{suite.name}: {case['name']}: {answer}")
                known, found = of_outcome(by_test()[suite.name, case["name"]]), essence(answer.json["decision"], answer.json["denial"])
                differences += [f"{suite.name}: {case['name']}: {one}" for one in differing(known, found)]
                made += 1
    listed("evaluate", left, made)
    none(differences, "answers differ")


# ---- history, made as real calls

def as_if_just_now(suite):
    """The cases whose answer stays the same if all that came before came just now: only those can
    be played on a gate, whose clock nobody sets."""
    here, file = folder("corpus-now"), copy.deepcopy(suite.file)
    for case in file["tests"]:
        for place, past in enumerate(case.get("history", [])):
            past["at"] = f"-{place + 1}s"
        case.pop("now", None)
    file["policies"] = [str(document) for document in suite.documents]
    (here / suite.path.name).write_text(json.dumps(file))
    data, _ = run(["test", here / suite.path.name], here)
    return {one["name"] for one in data["outcomes"] if one["passed"]}


SHARED = ("tenant/", "tool/", "resource/", "rate(tenant", "rate(tool", "rate(resource", "sum(tenant", "has_read(tenant")


def not_played(suite, case, stays):
    """Why this history cannot be made by real calls of one agent on a gate."""
    reason = not_on_a_gate(suite, case)
    past = case["history"]
    known = {tool["id"] for tool in suite.tools}
    if reason:
        return reason
    if suite.has_words(*SHARED):
        return "a count that all cases of the gate would share"
    if case["name"] not in stays:
        return "an answer that depends on how long ago"
    if any("agent" in one or one.get("verdict") == "deny" or "read" in one for one in past):
        return "other agents, denials or reads that are only stated"
    if "now" in case:
        return "a time of day"
    return None if all(one["tool"] in known for one in past) else "a tool that is assumed"


@test("the history as real calls, then the call: the same")
def by_playing():
    differences, left, made = [], [], 0
    for suite in suites():
        cases = [case for case in suite.cases if "history" in case]
        stays = as_if_just_now(suite) if cases else set()
        reasons = [not_played(suite, case, stays) for case in cases]
        left += [(reason, case["name"]) for reason, case in zip(reasons, cases) if reason]
        cases = [case for reason, case in zip(reasons, cases) if not reason]
        order = [past for case in cases for past in reversed(case["history"])]
        results = [{"tool": past["tool"], "arguments": past.get("arguments", {}), "result": past.get("result", {})} for past in order]
        if not cases:
            continue
        with Staged(suite, results) as staged:
            for place, case in enumerate(cases):
                token = staged.tokens[staged.agent({**case["call"], "agent": case["call"].get("agent", f"player_{place}")})]
                for past in reversed(case["history"]):
                    staged.gate.invoke(token, past["tool"], past.get("arguments"), allow_duplicate=True)
                call = {key: value for key, value in case["call"].items() if key in ("tool", "arguments", "env", "workflow", "resource")}
                said = {"user_request": case["user_request"]} if "user_request" in case else {}
                envelope = staged.gate.invoke(token, **call, **said, mode="decide", allow_duplicate=True)
                known, found = of_outcome(by_test()[suite.name, case["name"]]), essence(envelope["decision"], envelope["denial"])
                differences += [f"{suite.name}: {case['name']}: {one}" for one in differing(known, found)]
                made += 1
    listed("played", left, made)
    none(differences, "answers differ")


# ---- what no rule is asked about

def lines(name):
    return [json.loads(line) for line in (ROOT / f"corpus/odd/{name}.jsonl").read_text().splitlines()]


def made(make):
    if "repeat" in make:
        return json.dumps(make["repeat"] * make["times"])
    if "nest" in make:
        return "[" * make["nest"] + "]" * make["nest"]
    return json.dumps([1] * make["list"])


@test("what two readers read differently is refused by HTTP with 400 and by the command line with 2")
def refused():
    texts = [(line["name"], line["text"]) for line in lines("refused")]
    texts += [(line["name"], f'{{"status": {made(line["make"])}}}') for line in lines("large") if line["expect"] == "refused"]
    here = folder("corpus-refused")
    document = ROOT / "corpus/odd/words.json"
    with Gate("", {"words.json": document.read_text()}, name="corpus-odd") as gate:
        token = gate.agent("odd_agent", "--admin")
        for name, text in texts:
            body = '{"tool": "crm.reopen", "arguments": ' + text + "}"
            problem(gate.http("POST", "/v1/invocations", body.encode(), token), 400)
            (here / "call.json").write_text(body)
            run(["eval", "-f", "call.json", "--policy", document], here, exit=2)


@test("what is large but no more than a call may be is judged like anything else")
def large():
    here, document = folder("corpus-large"), ROOT / "corpus/odd/words.json"
    tools = json.loads((ROOT / "corpus/odd/words.test.json").read_text())["tools"]
    (here / "tools.json").write_text(json.dumps({"tools": tools}))
    for line in lines("large"):
        if line["expect"] != "refused":
            (here / "call.json").write_text('{"tool": "crm.reopen", "arguments": {"status": ' + made(line["make"]) + "}}")
            data, _ = run(["eval", "-f", "call.json", "--tools", "tools.json", "--policy", document], here)
            wanted = line["expect"] if isinstance(line["expect"], str) else line["expect"]["verdict"]
            equal(data["decision"]["verdict"], wanted, line["name"])


# ---- the cases of the language, as far as they are calls

NOT_A_CALL = ["history", "entity", "result", "places", "user", "chain", "action", "approval", "trigger_confirmed", "user_request"]
BEFORE_RULES = {"no_policy", "invalid_arguments", "entity_mismatch", "role_denied", "tool_not_found", "trigger_unverified", "entity_not_found"}
CALL_KEYS = {"tool": "tool", "args": "arguments", "claims": "resource", "env": "env", "workflow": "workflow", "agent": "agent", "role": "role",
             "tenant": "tenant", "project": "project", "runtime": "runtime", "trigger": "trigger", "allow_duplicate": "allow_duplicate"}
ALL_ALLOW = {"low": "allow", "medium": "allow", "high": "allow", "critical": "allow"}


def language_suites():
    """Every case of corpus/policy with calls: documents, a file of cases, and what must come out."""
    for path in sorted((ROOT / "corpus/policy").glob("*.json")):
        for case in json.loads(path.read_text()):
            if case.get("calls"):
                yield f"{path.stem}: {case['about']}", documents_of(case), case


def documents_of(case):
    found = {}
    for document in case["documents"]:
        text = document.get("text") or json.dumps(document.get("json"))
        found[document["name"]] = (ROOT / "corpus/policy" / document["file"]).read_text() if "file" in document else text
    return found


def not_said(case, call):
    """Why a file of cases cannot say what a call of corpus/policy does."""
    tool = next((tool for tool in case.get("tools", []) if tool["id"] == call["tool"]), None)
    if tool is None:
        return "a tool that nobody knows: the gate takes none, and a case assumes one"
    # These cases say what a gate would answer about earlier calls, not which calls there were.
    if any(word in json.dumps(case["documents"]) for word in PAST):
        return "what was before, which these cases state as an answer"
    key = next((key for key in NOT_A_CALL if key in call), None)
    return key or ("a look at its entity" if "looks_up" in tool else None)


def as_file(case):
    """The calls as a file of cases; what must come out is compared here."""
    tools = [{"risk": "low", "verb": "WRITE", **{key: value for key, value in tool.items() if key != "looks_up"}} for tool in case.get("tools", [])]
    tests, left = [], []
    for place, call in enumerate(case["calls"]):
        reason = not_said(case, call)
        if reason:
            left.append((reason, call["call"]))
            continue
        written = {CALL_KEYS[key]: value for key, value in call.items() if key in CALL_KEYS}
        now = {"now": call.get("now", "2026-06-16T15:14:22.104Z")}
        tests.append({"name": str(place), "call": {"agent": "billing_agent", **written}, **now, "expect": {"sanitized": []}})
    file = {"policies": [], "tools": tools, "posture": ALL_ALLOW, "own_domains": case.get("own_domains", []), "tests": tests}
    return file, left


def wanted(expect):
    """What the language's own expectation comes to at the gate."""
    unsaid = "sanitize" if expect.get("sanitize") else "allow"
    found = {"verdict": expect["effect"] or unsaid} if "effect" in expect else {}
    if "rules" in expect:
        name = lambda one: one.split(" unknown")[0].removesuffix(" (watched)")
        found["rules"] = [(name(one), "unknown" if " unknown" in one else "true", " (watched)" in one) for one in expect["rules"]]
    if "code" in expect:
        found["rule_code"] = expect["code"]
    return found


@stage
def language_files():
    """The cases of the language as files of cases: by file, what they are and what they leave out."""
    made = {}
    for name, documents, case in language_suites():
        file, left = as_file(case)
        if file["tests"]:
            here = folder("corpus-policy")
            for stem, text in documents.items():
                (here / f"{stem}.json").write_text(text)
            path = here / "case.test.json"
            path.write_text(json.dumps({**file, "policies": [f"{stem}.json" for stem in documents]}))
            made[str(path)] = (name, documents, case, path.read_text())
        leave_out(name, left)
    return made


LEFT = []


def leave_out(name, left):
    LEFT.extend((reason, f"{name}: {call}") for reason, call in left)


@test("the cases of corpus/policy that are calls: toolgate test and POST /v1/policies/test agree with the library")
def language():
    differences, made, by_cli = [], 0, {}
    data, _ = run(["test", *language_files()], folder("corpus-language"))
    for outcome in data["outcomes"]:
        by_cli.setdefault(outcome["file"], []).append(outcome)
    with Gate("", {}, name="corpus-language") as gate:
        for path, (name, documents, case, text) in language_files().items():
            body = {"documents": [{"name": stem, "text": text} for stem, text in documents.items()], "cases": text, "alone": True}
            answer = gate.http("POST", "/v1/policies/test", body, gate.admin)
            equal(answer.status, 200, f"{name}: {answer}")
            for one, by_http in zip(by_cli[path], answer.json["outcomes"], strict=True):
                found, call = of_outcome(one), case["calls"][int(one["name"])]
                label = f"{name}: {call['call']}"
                differences += [f"{label}: {key}" for key in differing(found, of_outcome(by_http))]
                if found["code"] in BEFORE_RULES:
                    LEFT.append(("refused before the rules", label))
                    continue
                made += 1
                expected = wanted(call["expect"])
                differences += [f"{label}: {key} {found[key]}, expected {value}" for key, value in expected.items() if found[key] != value]
    listed("language", LEFT, made)
    none(differences, "answers differ")


# ---- rows that are about commands

REFUND = {"rules": [{"rule_id": "large", "match": {"tools": ["stripe.refund"]}, "when": "amount > 500", "effect": "require_approval"}]}


@test("ITV-09: a document is written as raw JSON and is in force as it stands; a form's one rule is the same document")
def raw_json():
    text = (ROOT / "corpus/rows/itv-09.json").read_text()
    with Gate("", {}, name="row-itv-09") as gate:
        put = gate.http("PUT", "/v1/policies/raw", {"text": text, "activate": True}, gate.admin, {"If-None-Match": "*"})
        equal(put.status, 200, f"writing it: {put}")
        equal(gate.http("GET", "/v1/policies/raw", token=gate.admin).json["text"], text, "the text kept")
        broken = text.replace('"condition"', '"condtion"', 1)
        answer = gate.http("POST", "/v1/policies/check", {"documents": [{"name": "raw", "text": broken}]}, gate.admin).json
        equal(answer["valid"], False, "a key that is misspelt")
        check("condition" in json.dumps(answer["diagnostics"]), f"no nearest key: {answer}")


@test("ITV-12: policies as files: checked, compared, applied, taken back")
def as_code():
    stricter = json.dumps(REFUND).replace("500", "100")
    with Gate("", {}, name="row-itv-12") as gate:
        (gate.home / "v1").mkdir()
        (gate.home / "v2").mkdir()
        (gate.home / "v1/refunds.json").write_text(json.dumps(REFUND))
        (gate.home / "v2/refunds.json").write_text(stricter)
        (gate.home / "bad.json").write_text('{"rules": [{"effect": "denny"}]}')
        gate.cli("check", gate.home / "v1", url=False)
        gate.cli("check", gate.home / "bad.json", url=False, exit=3)
        said = json.dumps(gate.cli("policy", "diff", gate.home / "v1", gate.home / "v2", exit=(0, 7)))
        check("large" in said, f"the difference does not name the rule: {said}")
        gate.cli("policy", "apply", gate.home / "v1", "--activate")
        gate.cli("policy", "apply", gate.home / "v2")
        in_force = lambda: json.loads(gate.http("GET", "/v1/policies/refunds", token=gate.admin).json["text"])["rules"][0]["when"]
        gate.cli("policy", "activate", "refunds")
        equal(in_force(), "amount > 100", "the newest version")
        gate.cli("policy", "rollback", "refunds")
        listed = gate.http("GET", "/v1/policies", token=gate.admin).json["items"][0]
        equal(listed["active_number"], 1, "the version in force after the rollback")


@test("VET-04: a decision is recorded with policy, arguments, actor, tenant, time and approval")
def recorded():
    suite = Suite(ROOT / "corpus/rows/vet-04.test.json")
    with Staged(suite) as staged:
        token = staged.tokens[staged.agent({"agent": "billing_agent"})]
        envelope = staged.gate.invoke(token, "stripe.refund", {"charge": "ch_1", "amount": 501})
        details = envelope["denial"]["details"]
        equal((details["policy"], details["rule"]), ("vet-04", "large"), "the rule")
        check(envelope["decision"]["policy_version"].startswith("sha256:"), "the version of the set")
        shown_ = staged.gate.http("GET", f"/v1/approvals/{details['approval_id']}", token=staged.gate.admin).json
        check("501" in json.dumps(shown_), f"the approver does not see the arguments: {shown(shown_)}")
        log = json.dumps(staged.gate.cli("log", "tail"))
        for word in (envelope["invocation_id"], "billing_agent", "default", "vet-04", "large", envelope["decision"]["policy_version"]):
            check(word in log, f"the record has no `{word}`: {shown(log, 3000)}")


@test("ITV-16: patterns of one's own are found, those of the product switched off")
def tuned():
    here = folder("row-itv-16")
    config = '[detect]\ndisabled = ["EMAIL"]\n[[detect.pattern]]\nname = "CASE_NUMBER"\nclass = "INTERNAL"\nregex = "CASE-[0-9]{6}"\n'
    (here / "toolgate.toml").write_text(config)
    (here / "text.txt").write_text("CASE-123456, written by ana@acme.com")
    data, _ = run(["detect", "text.txt"], here)
    kinds = [one["kind"] for one in data["findings"]]
    equal(kinds, ["CASE_NUMBER"], "what is found")


@test("VET-24: tools that no rule and no grant is about are listed, and fail the build if they shall")
def coverage():
    here = folder("row-vet-24")
    payout = {"rule_id": "payout", "match": {"tools": ["stripe.payout"]}, "effect": "deny"}
    (here / "refunds.json").write_text(json.dumps({"rules": REFUND["rules"] + [payout]}))
    calls = [("stripe.refund", 1, "allow"), ("stripe.refund", 501, "require_approval"), ("stripe.payout", 1, "deny")]
    tests = [{"name": f"{tool} {amount}", "call": {"tool": tool, "arguments": {"amount": amount}}, "expect": verdict} for tool, amount, verdict in calls]
    tools = [{"id": name, "risk": "low", "input_schema": {"type": "object", "properties": {"amount": {}}}} for name in ("stripe.refund", "stripe.payout")]
    file = here / "refunds.test.json"
    file.write_text(json.dumps({"tools": tools, "tests": tests}))
    whole, _ = run(["test", file, "--coverage", "--fail-uncovered"], here, exit=0)
    equal(whole["coverage"]["tool_percent"], 100, "percent of tools")
    tools += [{"id": name, "risk": "low", "input_schema": {"type": "object"}} for name in ("bank.pay", "bank.close")]
    file.write_text(json.dumps({"tools": tools, "tests": tests}))
    half, _ = run(["test", file, "--coverage", "--fail-uncovered"], here, exit=4)
    equal(half["coverage"]["tool_percent"], 50, "percent of tools")
    check("bank.pay" in json.dumps(half["coverage"]["tools"]), "the tool is not named")


@test("VET-25: coverage by rule and branch, and gaps: variants of a case that would get a milder answer")
def gaps():
    here = folder("row-vet-25")
    leaky = {"rules": [{"rule_id": "by-words", "match": {"tools": ["mail.send"]}, "when": "to ends_with \"@example.org\"", "effect": "deny"}]}
    (here / "mail.json").write_text(json.dumps(leaky))
    tests = [{"name": "outside", "call": {"tool": "mail.send", "arguments": {"to": "x@example.org"}}, "expect": "deny"}]
    tools = [{"id": "mail.send", "risk": "low", "input_schema": {"type": "object", "properties": {"to": {}}}}]
    (here / "mail.test.json").write_text(json.dumps({"tools": tools, "tests": tests}))
    data, _ = run(["test", "mail.test.json", "--coverage", "--gaps"], here, exit=0)
    check(data["gaps"], f"capitals in the domain get by, and no gap is shown: {shown(data)}")
    rule = data["coverage"]["rules"][0]
    equal((rule["rule"], rule["matched"], rule["unmatched"]), ("by-words", True, False), "the rule's coverage")


@test("VET-26: a changed policy is tried on the recorded calls before it binds")
def replayed():
    suite = Suite(ROOT / "corpus/rows/vet-04.test.json")
    with Staged(suite) as staged:
        token = staged.tokens[staged.agent({"agent": "billing_agent"})]
        for amount in (50, 150, 250, 600):
            staged.gate.invoke(token, "stripe.refund", {"charge": "ch_1", "amount": amount})
        text = next(iter(suite.policies().values())).replace("amount > 500", "amount > 100")
        (staged.gate.home / "candidate").mkdir()
        (staged.gate.home / "candidate/vet-04.json").write_text(text)
        data = staged.gate.cli("policy", "backtest", staged.gate.home / "candidate")
        cells = {(cell["present"], cell["candidate"]): cell["calls"] for cell in data["matrix"]}
        equal(cells.get(("allow", "require_approval")), 2, f"the calls of 150 and 250 in {shown(data)}")
        equal((data["calls"], data["changed"]), (4, 2), "calls, and those that change")
        equal(sum(calls for (before, after), calls in cells.items() if before == after), 2, "calls that do not change")
