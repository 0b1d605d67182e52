"""The npm package, as its users have it: built, packed, installed, and run against the real gate.

One list of tests runs against the package's fake gate and against the binary, so that the fake cannot
be something else than the gate; agents of three frameworks with scripted models meet an allow, a denial,
an approval in each of its ways and lost answers, and the gate's record shows what they did. The
quickstart of the README runs as printed. Must not know: how the client works.
"""

import gzip
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

import provision
from kit import ROOT, TOOLGATE, Gate, Process, at_end, check, clean_environment, equal, folder, shown, stage, test, wait_for

SDK = ROOT / "sdk/typescript"
LOADED_BYTES_MAX = 20_000  # LIMIT: what a program loads of any one entry and all that it imports, compressed.
PACKED_BYTES_MAX = 45_000  # LIMIT: the same for all entries, with their types, the README and the licence.
SECONDS_MAX = 300  # LIMIT: a list of tests takes ten seconds; a loaded machine is slower, not silent.
NODE_OLDEST = (20, 0)
ALONE = {"client": "", "testing": "/testing", "webhooks": "/webhooks", "plugin": "/plugin"}
TOOLS = ("allowed", "read", "denied", "frozen", "cleaned", "withheld")
PREFIXES = ("", "ai_", "agents_", "guard_", "middleware_")
FRAMEWORKS = {"ai_": "AI SDK", "agents_": "OpenAI Agents", "guard_": "LangChain (guard)", "middleware_": "LangChain (middleware)"}
CONFIG = """
[posture]
low = "allow"
medium = "allow"
high = "allow"
[[source]]
name = "app"
host = {}
"""


def configure(_options):
    """Brings the compiler and the frameworks: a download the first time."""
    provision.sdk_typescript()


# ── The package


def command(*parts, cwd=None, **environment):
    """Runs a program to its end, and returns what it printed."""
    env = {**clean_environment(), "npm_config_update_notifier": "false", **environment}
    env["PATH"] = f"{provision.node_binary().parent}{os.pathsep}{env['PATH']}"
    done = subprocess.run([str(part) for part in parts], cwd=cwd, env=env, capture_output=True, text=True, timeout=SECONDS_MAX)
    said = (done.stdout + done.stderr)[-3000:]
    check(done.returncode == 0, f"`{' '.join(map(str, parts))}` ended with {done.returncode}: {shown(said, 3000)}")
    return done.stdout


def node(*parts, cwd=None, **environment):
    return command(provision.node_binary(), *parts, cwd=cwd or built(), **environment)


built = stage(provision.typescript_package)


def packed(name):
    """The package as it would be published, in a folder of its own."""
    place = folder(name)
    [made] = json.loads(command("npm", "pack", "--json", "--ignore-scripts", "--pack-destination", place, cwd=built()))
    return place / made["filename"]


package = stage(lambda: packed("npm"))


@stage
def consumer():
    """A project that has installed the package, and the frameworks beside it."""
    home = folder("consumer")
    with tarfile.open(package()) as archive:
        archive.extractall(home, filter="data")
    modules = home / "node_modules"
    modules.mkdir()
    (home / "package").rename(modules / "toolgate")
    for found in (built() / "node_modules").iterdir():
        if not found.name.startswith("."):
            (modules / found.name).symlink_to(found)
    (home / "package.json").write_text('{"type": "module", "private": true}\n')
    return home


@test("the types of the wire are those that the gate describes")
def wire():
    described = folder("openapi") / "openapi.json"
    described.write_text(command(TOOLGATE, "openapi", cwd=described.parent))
    node(built() / "scripts/wire.mjs", "--check", TOOLGATE_OPENAPI=str(described))


@test("the package packs twice to the same bytes, is small, and holds what it exports")
def reproducible():
    digests = {hashlib.sha256(made.read_bytes()).hexdigest() for made in (package(), packed("npm-again"))}
    equal(len(digests), 1, "packing twice")
    size = package().stat().st_size
    check(size < PACKED_BYTES_MAX, f"the package has {size} bytes, and may have {PACKED_BYTES_MAX}")
    about = json.loads((SDK / "package.json").read_text())
    equal((about.get("dependencies"), about["sideEffects"]), (None, False), "dependencies and side effects")
    modules = consumer() / "node_modules/toolgate"
    for name, export in about["exports"].items():
        for file in export.values() if isinstance(export, dict) else [export]:
            check((modules / file).exists(), f"`{name}` has no `{file}`")
        bytes = len(gzip.compress(b"".join(file.read_bytes() for file in loaded(modules / export["default"])))) if isinstance(export, dict) else 0
        check(bytes < LOADED_BYTES_MAX, f"`{name}` loads {bytes} bytes, and may load {LOADED_BYTES_MAX}")
    check(not list(modules.rglob("*.test.*")), "tests are published")


def loaded(file, seen=None):
    """A module and everything of the package that it imports."""
    seen = {} if seen is None else seen
    if file not in seen:
        seen[file] = True
        for name in re.findall(r'from "(\./[^"]+)"', file.read_text()):
            loaded((file.parent / name).resolve(), seen)
    return sorted(seen)


@test("publishing it would work")
def publishable():
    command("npm", "publish", "--dry-run", "--ignore-scripts", cwd=built())


@test("nothing of a framework is loaded unless its adapter is, and the oldest Node at hand runs the client")
def alone():
    text = f"await Promise.all({json.dumps(list(ALONE.values()))}.map((part) => import(`toolgate${{part}}`))); console.log(process.version)"
    home = folder("alone")
    (home / "node_modules").mkdir()
    shutil.copytree(consumer() / "node_modules/toolgate", home / "node_modules/toolgate")
    for found in {provision.node_binary(), pathlib.Path(shutil.which("node") or provision.node_binary())}:
        version = command(found, "--input-type=module", "--eval", text, cwd=home)
        command(found, "--test", built() / "build/test/conformance.test.js", cwd=built())
        check(tuple(map(int, version.strip("v\n").split(".")[:2])) >= NODE_OLDEST, f"Node {version}")


def blocks(page):
    """The TypeScript in a page, in its order."""
    return re.findall(r"^```ts\n(.*?)^```$", page.read_text(), re.M | re.S)


@test("a strict project compiles against the package, and so does all that its README shows")
def strict():
    home = consumer()
    for number, block in enumerate(blocks(SDK / "README.md")):
        (home / f"readme_{number}.ts").write_text(block)
    options = {"strict": True, "module": "nodenext", "target": "es2022", "noEmit": True, "exactOptionalPropertyTypes": True,
               "lib": ["es2023", "dom", "dom.iterable"], "types": [], "skipLibCheck": True}
    (home / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "include": ["*.ts"]}))
    compiler = built() / "node_modules/typescript/bin/tsc"
    node(compiler, "-p", "tsconfig.json", cwd=home)
    (home / "alone.ts").write_text("".join(f'export * as {name} from "toolgate{path}";\n' for name, path in ALONE.items()))
    options = {**options, "skipLibCheck": False}
    (home / "alone.json").write_text(json.dumps({"compilerOptions": options, "files": ["alone.ts"]}))
    node(compiler, "-p", "alone.json", cwd=home)


# ── The client against the real gate


class Stage:
    """A gate with the rules of the package's lists of tests, and somebody who decides."""

    def __init__(self):
        policy = json.loads((SDK / "test/policy.json").read_text())
        self.gate = Gate(CONFIG, {"sdk.json": policy}).opened()
        tools = [f"app.{prefix}{name}" for prefix in PREFIXES for name in TOOLS]
        self.key = self.gate.agent("sdk_agent", "--trusted-host", *(part for tool in (*tools, "app.refund", "app.dying", "app.slow") for part in ("--tool", tool)))
        self.environment = {"TOOLGATE_URL": self.gate.url, "TOOLGATE_KEY": self.key, "TOOLGATE_PERSON": self.gate.person("bo@acme.com")}

    def list(self, file, **environment):
        """Runs one list of tests by Node's own runner, and returns their names."""
        said = node("--test", "--test-reporter=tap", built() / f"build/test/{file}.test.js", **environment)
        counts = {name: int(count) for name, count in re.findall(r"^# (tests|pass) (\d+)$", said, re.M)}
        check(counts.get("tests", 0) > 5 and counts["tests"] == counts["pass"], f"not every test of `{file}` ran: {counts}")
        return {name.split(": ", 1)[1] for name in re.findall(r"^ok \d+ - (.*)$", said, re.M) if ": " in name}

    def invocations(self):
        """All calls of the agent, newest first."""
        found, before = [], ""
        while True:
            answer = self.gate.http("GET", f"/v1/invocations?limit=200{before}", token=self.gate.admin)
            equal(answer.status, 200, "the invocations")
            found += answer.json["items"]
            if not answer.json.get("next"):
                return found
            before = f"&before={answer.json['next']}"

    def kinds(self, invocation):
        """What the record says of one call, in its order."""
        detail = self.gate.http("GET", f"/v1/invocations/{invocation['invocation_id']}", token=self.gate.admin).json
        texts = [self.gate.http("GET", f"/v1/records/{id}", token=self.gate.admin).json["text"] for id in detail["evidence_ids"]]
        return [json.loads(text)["kind"] for text in texts]


on = stage(Stage)


@test("the package's own tests pass")
def own():
    for file in ("adapters", "link", "webhooks"):
        on().list(file)


@test("the fake gate and the real one pass one list of tests")
def conformance():
    equal(on().list("conformance", **on().environment), on().list("conformance"), "what was tried on either")


@test("agents of three frameworks meet what agents meet, and the gate's record shows each of it")
def frameworks():
    equal(on().list("frameworks", **on().environment), on().list("frameworks"), "what was tried on either")
    calls = on().invocations()
    for prefix, framework in FRAMEWORKS.items():
        ours = {name: [call for call in calls if call["capability_id"] == f"app.{prefix}{name}"] for name in ("allowed", "denied", "frozen")}
        seen = {status: call for name in ours for call in reversed(ours[name]) for status in [f"{name} {call['status']}"]}
        for status, kinds in EXPECTED.items():
            check(status in seen, f"{framework}: no call was {status}, but {sorted(seen)}")
            equal(on().kinds(seen[status])[: len(kinds)], kinds, f"{framework}: the record of a call that was {status}")
        never = [call for call in ours["denied"] if call["status"] != "denied"]
        equal(never, [], f"{framework}: calls that were denied and did something")
        approved = [call for call in ours["frozen"] if call["status"] == "succeeded"]
        check(len(approved) >= 3, f"{framework}: {len(approved)} approved calls ran, and there are three ways to meet an approval")


EXPECTED = {
    "allowed succeeded": ["invocation.admitted", "invocation.succeeded"],
    "allowed failed": ["invocation.admitted", "invocation.failed"],
    "allowed needs_operator": ["invocation.admitted", "invocation.unknown_effect"],
    "denied denied": ["invocation.denied"],
    "frozen succeeded": ["approval.requested", "approval.approved", "invocation.admitted", "invocation.succeeded"],
}


DYING = """
import { Toolgate } from "toolgate";
const inputSchema = { type: "object", properties: { charge: { type: "string" } } };
const refund = new Toolgate({ run: "run-1" }).guard("dying", { risk: "low", inputSchema, timeoutMs: 1000 }, async ({ charge }) => {
  console.log(`running ${charge}`);
  await new Promise((resolve) => setTimeout(resolve, 600_000));
});
console.log(JSON.stringify(await refund({ charge: "ch_1" }, { callId: "call_1" })));
"""


@test("a program that is killed while its function runs leaves an unknown effect, and the call is not made again")
def killed():
    home, gate = consumer(), on().gate
    (home / "dying.mjs").write_text(DYING)
    env = {**clean_environment(), **on().environment}
    first = Process([provision.node_binary(), "dying.mjs"], home / "dying.log", cwd=home, env=env)
    at_end(first.kill)
    wait_for("the function to run", lambda: "running ch_1" in (home / "dying.log").read_text())
    first.kill()
    [call] = [call for call in on().invocations() if call["capability_id"] == "app.dying"]
    gate.wait_status(on().key, call, "unknown_effect", "needs_operator")
    equal(on().kinds(call)[:2], ["invocation.admitted", "invocation.unknown_effect"], "the record")
    again = json.loads(node("dying.mjs", cwd=home, **on().environment))
    equal((again["kind"], again["invocationId"], again["replayed"]), ("indeterminate", call["invocation_id"], True), "the same call by the next process")


SLOW = """
import { Toolgate } from "toolgate";
const gate = new Toolgate();
const headers = { Authorization: `Bearer ${process.env.TOOLGATE_KEY}` };
const slow = gate.guard("slow", { risk: "low", timeoutMs: 100 }, async (_, { invocationId, signal }) => {
  const look = async () => (await (await fetch(`${gate.url}/v1/invocations/${invocationId}?wait_ms=10000`, { headers })).json()).status;
  while ((await look()) === "executing");
  return { done: true, told: signal.aborted };
});
console.log(JSON.stringify(await slow({})));
"""


@test("a function that takes longer than its lease is told so, and its late report settles the call")
def late():
    (consumer() / "slow.mjs").write_text(SLOW)
    outcome = json.loads(node("slow.mjs", cwd=consumer(), **on().environment))
    equal((outcome["kind"], outcome["data"]), ("success", {"done": True, "told": True}), "what the program got")
    kinds = on().kinds({"invocation_id": outcome["invocationId"]})
    equal((kinds[:2], kinds[-1]), (["invocation.admitted", "invocation.unknown_effect"], "invocation.succeeded"), "the record")


# ── What the README prints


class Demo(Gate):
    """What `toolgate serve --demo` starts."""

    def start(self):
        command = [TOOLGATE, "serve", "--demo", "--config", self.config, "--data", self.data]
        self.process = Process(command, self.home / "gate.log", cwd=self.home, env=clean_environment())
        wait_for(f"the gate to be ready ({self.home}/gate.log)", self.ready)


@test("the ten lines of the README run as they are printed")
def quickstart():
    lines = blocks(SDK / "README.md")[0].strip().splitlines()
    check(len(lines) <= 10, f"{len(lines)} lines")
    gate = Demo(name="demo").opened()
    key = gate.cli("key", "create", "refund_agent")["token"]
    gate.wait_tools(key, "desk.refund")
    (consumer() / "quickstart.mjs").write_text("\n".join(lines))
    said = node("quickstart.mjs", cwd=consumer(), TOOLGATE_URL=gate.url, TOOLGATE_KEY=key)
    kinds = [line.split(" ", 1)[0] for line in said.splitlines()]
    equal([kind for kind in kinds if kind in ("success", "denied", "pending")], ["success", "denied", "pending"], said)
    check("decide at http" in said, said)
    waiting = gate.http("GET", "/v1/approvals", token=gate.admin).json["items"]
    equal([(one["tool"], one["status"]) for one in waiting], [("desk.refund", "pending")], "what waits in the console")


@test("the README's own function runs as it is printed")
def own_function():
    (consumer() / "own.ts").write_text(blocks(SDK / "README.md")[1])
    said = node("own.ts", cwd=consumer(), **on().environment)
    equal(said.strip(), "success { refunded: 12 }", "what it printed")
