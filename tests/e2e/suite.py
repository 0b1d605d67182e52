"""Files of cases as they are run from outside: the file, a gate that really has its tools, the command line.

    suite = Suite(ROOT / "corpus/rows/vet-04.test.json")
    with Staged(suite) as staged: ...

Must not know: what any one scenario expects.
"""

import json
import subprocess
import sys

from kit import HERE, ROOT, TOOLGATE, Failed, Gate, clean_environment, equal, folder, shown, wait_for

SERVER = HERE / "servers/catalogue.py"


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
