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

from kit import ROOT, Gate, check, equal, folder, problem, shown, stage, test
from suite import Staged, Suite, differing, essence, of_outcome, run

FOLDERS = ["corpus/rows", "corpus/odd", "packs"]


def configure(_options):
    """Nothing to configure."""


def suites():
    found = [Suite(path) for name in FOLDERS for path in sorted((ROOT / name).rglob("*.test.json"))]
    check(len(found) > 40, f"only {len(found)} files of cases")
    return found


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
    """What the cases come to at this hour if all that came before came just now, as far as that is
    what they expect: only those can be played on a gate, whose clock nobody sets."""
    here, file = folder("corpus-now"), copy.deepcopy(suite.file)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    for case in file["tests"]:
        for place, past in enumerate(case.get("history", [])):
            past["at"] = f"-{place + 1}s"
        case["now"] = now
    file["policies"] = [str(document) for document in suite.documents]
    (here / suite.path.name).write_text(json.dumps(file))
    data, _ = run(["test", here / suite.path.name], here)
    return {one["name"]: one for one in data["outcomes"] if one["passed"]}


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
        return "an answer that depends on how long ago, or on the hour"
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
        stays = as_if_just_now(suite) if cases else {}
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
                known, found = of_outcome(stays[case["name"]]), essence(envelope["decision"], envelope["denial"])
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
