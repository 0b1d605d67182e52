"""Real systems that the gate's calls have their effects in, each with what a gate must know of it.

A system is installed (pinned, in a virtual environment of its own below `target/`), started on
loopback with fresh data, given an adapter that speaks MCP, and asked at the end, by its own API,
what happened in it: how often each call's mark is there. The descriptors say what each is by
nature: who replays a key, who refuses a second of the same name, who does neither.

Must not know: faults, kills, or what the gate made of a call.
"""

import base64
import collections
import json
import pathlib
import re
import shutil
import subprocess
import urllib.parse

import provision
from kit import TARGET, Failed, Process, check, clean_environment, equal, free_port, request, wait_for

PLACE = pathlib.Path(__file__).resolve().parent
ENVIRONMENTS = TARGET / "e2e-downstreams"
START_SECONDS = 120  # LIMIT: pretix alone imports for ten seconds on a slow machine.
PER_HOLDER = 40  # Refunds of one charge or order: a probe reads one page of them, of fifty at least.
PAGE = 100


class System:
    """One downstream: its process, its adapter, its descriptors, its own account of what happened."""

    name = None
    tools = ()
    callers = 4

    def __init__(self, home, calls):
        self.home, self.calls = pathlib.Path(home), calls
        self.port = free_port()
        self.venv = ENVIRONMENTS / self.name
        self.processes = []

    @classmethod
    def install(cls):
        provision.environment(ENVIRONMENTS / cls.name, PLACE / f"requirements/{cls.name}.txt", cls.name)

    def start(self):
        """Starts the system and its adapter; `adapter_port` is where the tools then are."""
        self.launch()
        wait_for(f"{self.name} to answer on port {self.port} ({self.home}/{self.name}.log)", self.answers, START_SECONDS)
        self.seed()
        adapter = [shutil.which("python3"), PLACE / f"adapters/{self.name}.py", "--to", self.port]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = self.run(adapter, **pipes, env={**clean_environment(), **self.secrets()})
        line = process.child.stdout.readline()
        check(line, f"the adapter of {self.name} did not start ({self.home}/{self.name}.log)")
        self.adapter_port = json.loads(line)["listening"]

    def stop(self):
        for process in reversed(self.processes):
            process.kill()

    def run(self, command, **options):
        self.processes.append(Process(command, self.home / f"{self.name}.log", **options))
        return self.processes[-1]

    def answers(self):
        check(self.processes[-1].running, f"{self.name} ended by itself ({self.home}/{self.name}.log)")
        try:
            return request(self.port, "GET", "/", timeout=20).status
        except OSError:
            return False

    def ask(self, method, path, body=None, headers=None, expected=(200, 201)):
        """One request to the system itself, past the adapter and the gate."""
        answer = request(self.port, method, path, body, headers)
        check(answer.status in expected, f"{self.name}: {method} {path} said {answer}")
        return answer

    def launch(self):
        raise NotImplementedError

    def seed(self):
        """What the system needs to know before it is used."""

    def secrets(self):
        return {}

    def descriptors(self):
        raise NotImplementedError

    def rules(self):
        """Every call here is allowed that no rule denies; the last mark of each ten is forbidden."""
        return [{"rule_id": "forbidden", "when": f"{self.mark} ends_with \"-forbidden\"", "effect": "deny"}]

    def forbidden(self, call):
        """The call, changed so that the gate must stop it."""
        tool, arguments = call
        return tool, {**arguments, self.mark: f"{arguments[self.mark]}-forbidden"}

    def call(self, number, mark):
        raise NotImplementedError

    def effects(self):
        """How often each mark is in the system, by its own account."""
        raise NotImplementedError


class Radicale(System):
    """Refuses a second event of the same name: the gate's key is the name."""

    name = "radicale"
    tools = ("event_put",)
    mark = "summary"
    user = {"Authorization": "Basic " + base64.b64encode(b"gate:").decode()}

    def launch(self):
        self.run([self.venv / "bin/radicale", "--server-hosts", f"127.0.0.1:{self.port}", "--auth-type", "none",
                  "--storage-filesystem-folder", self.home / "radicale"])

    def seed(self):
        self.ask("MKCALENDAR", "/gate/events/", headers=self.user)

    def descriptors(self):
        return """
[tools."radicale.event_put"]
risk = "medium"
timeout = "10s"
[tools."radicale.event_put".effect]
idempotency = { argument = "uid" }
probe = "radicale.event_find"
args = { uid = "{invocation.id}" }
landed = "any(result.data, e, e.uid == $invocation.id)"
tries = 6
backoff = "100ms..1s"
[tools."radicale.event_find"]
effect = "none"
"""

    def call(self, number, mark):
        return "radicale.event_put", {"summary": mark}

    def effects(self):
        wanted = '<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-data/></D:prop>' \
            '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
        headers = {**self.user, "Depth": "1", "Content-Type": "application/xml"}
        text = self.ask("REPORT", "/gate/events/", wanted.encode(), headers, expected=(207,)).body.decode()
        return collections.Counter(re.findall(r"^SUMMARY:(.*?)(?:&#13;|\r)?$", text, re.MULTILINE))


class Moto(System):
    """Plays AWS: a conditional write, and a queue that keeps one message of each key."""

    name = "moto"
    tools = ("item_put", "message_send")
    mark = "mark"

    def launch(self):
        self.run([self.venv / "bin/moto_server", "-H", "127.0.0.1", "-p", self.port])

    def aws(self, service, target, body):
        scope = f"Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        kind = "application/x-amz-json-1.0"
        headers = {"X-Amz-Target": target, "Content-Type": kind, "Authorization": f"AWS4-HMAC-SHA256 {scope}"}
        return self.ask("POST", "/", json.dumps(body).encode(), headers).json

    def seed(self):
        key = [{"AttributeName": "id", "KeyType": "HASH"}]
        table = {"TableName": "refunds", "KeySchema": key, "BillingMode": "PAY_PER_REQUEST",
                 "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}
        self.aws("dynamodb", "DynamoDB_20120810.CreateTable", table)
        queue = {"QueueName": "refunds.fifo", "Attributes": {"FifoQueue": "true"}}
        self.queue = self.aws("sqs", "AmazonSQS.CreateQueue", queue)["QueueUrl"]

    def descriptors(self):
        return """
[tools."moto.item_put"]
risk = "medium"
timeout = "10s"
[tools."moto.item_put".effect]
idempotency = { argument = "id" }
probe = "moto.item_find"
args = { id = "{invocation.id}" }
landed = "any(result.data, i, i.id == $invocation.id)"
tries = 6
backoff = "100ms..1s"
[tools."moto.message_send"]
risk = "medium"
timeout = "10s"
[tools."moto.message_send".effect]
idempotency = { argument = "deduplication_id" }
[tools."moto.item_find"]
effect = "none"
"""

    def call(self, number, mark):
        if number % 2:
            return "moto.item_put", {"mark": mark}
        return "moto.message_send", {"mark": mark}

    def effects(self):
        seen, after = collections.Counter(), {}
        while True:
            page = self.aws("dynamodb", "DynamoDB_20120810.Scan", {"TableName": "refunds", **after})
            seen.update(item["mark"]["S"] for item in page["Items"])
            if "LastEvaluatedKey" not in page:
                break
            after = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        while True:
            take = {"QueueUrl": self.queue, "MaxNumberOfMessages": 10}
            messages = self.aws("sqs", "AmazonSQS.ReceiveMessage", take).get("Messages", [])
            if not messages:
                return seen
            for message in messages:
                seen[message["Body"]] += 1
                done = {"QueueUrl": self.queue, "ReceiptHandle": message["ReceiptHandle"]}
                self.aws("sqs", "AmazonSQS.DeleteMessage", done)


class Localstripe(System):
    """Ignores the key: all that helps is to look, and to know how late a request may land."""

    name = "localstripe"
    tools = ("refund_create",)
    mark = "mark"
    authorization = {"Authorization": "Basic " + base64.b64encode(b"sk_test_12345:").decode()}

    def launch(self):
        self.run([self.venv / "bin/python", PLACE / "launch/start_localstripe.py", self.port])

    def stripe(self, method, path, form=None):
        headers = {**self.authorization, "Content-Type": "application/x-www-form-urlencoded"}
        body = urllib.parse.urlencode(form).encode() if form else None
        return self.ask(method, path, body, headers).json

    def seed(self):
        customer = self.stripe("POST", "/v1/customers", {"description": "ana@acme.com"})["id"]
        card = {"type": "card", "card[number]": "4242424242424242", "card[exp_month]": "12",
                "card[exp_year]": "2030", "card[cvc]": "123"}
        method = self.stripe("POST", "/v1/payment_methods", card)["id"]
        self.stripe("POST", f"/v1/payment_methods/{method}/attach", {"customer": customer})
        self.charges = []
        for _ in range(-(-self.calls // PER_HOLDER)):
            paid = {"amount": 5000, "currency": "usd", "customer": customer, "payment_method": method, "confirm": "true"}
            intent = self.stripe("POST", "/v1/payment_intents", paid)
            self.charges.append(intent["charges"]["data"][0]["id"])

    def descriptors(self):
        return """
[tools."localstripe.refund_create"]
risk = "medium"
timeout = "10s"
[tools."localstripe.refund_create".entity]
probe = "localstripe.charge_get"
args = { charge = "{args.charge}" }
match = { id = "{args.charge}" }
pin = ["amount", "currency"]
[tools."localstripe.refund_create".effect]
probe = "localstripe.refund_list"
args = { charge = "{args.charge}" }
landed = "any(result.data, r, r.metadata.invocation_id == $invocation.id)"
lands_within = "6s"
tries = 3
backoff = "100ms..1s"
[tools."localstripe.refund_list"]
effect = "none"
[tools."localstripe.charge_get"]
effect = "none"
"""

    def rules(self):
        when = "tool == localstripe.refund_create and amount > $entity.amount"
        return [{"rule_id": "no-more-than-paid", "when": when, "effect": "deny"}]

    def call(self, number, mark):
        return "localstripe.refund_create", {"charge": self.charges[number // PER_HOLDER], "amount": 100, "mark": mark}

    def forbidden(self, call):
        tool, arguments = call
        return tool, {**arguments, "amount": 99900}

    def effects(self):
        seen = collections.Counter()
        for charge in self.charges:
            found = self.stripe("GET", f"/v1/refunds?charge={charge}&limit={PAGE}")
            check(not found["has_more"], f"more refunds of {charge} than one page holds")
            seen.update(refund["metadata"]["mark"] for refund in found["data"])
        return seen


class Roundup(System):
    """Its single-use links say nothing of the gate's key: a lost answer is cleared up by a look."""

    name = "roundup"
    tools = ("issue_create",)
    mark = "title"
    callers = 2  # It writes to one SQLite file.

    def launch(self):
        command = [self.venv / "bin/python", PLACE / "launch/start_roundup.py", self.home / "tracker", self.port]
        self.run(command, cwd=self.venv)

    def descriptors(self):
        return """
[tools."roundup.issue_create"]
risk = "medium"
timeout = "15s"
[tools."roundup.issue_create".effect]
probe = "roundup.issue_find"
args = { title = "{args.title}" }
landed = "any(result.data, i, i.title == $args.title)"
lands_within = "6s"
tries = 3
backoff = "100ms..1s"
[tools."roundup.issue_find"]
effect = "none"
"""

    def call(self, number, mark):
        return "roundup.issue_create", {"title": mark}

    def effects(self):
        user = {"Authorization": "Basic " + base64.b64encode(b"demo:demo").decode(), "X-Requested-With": "rest",
                "Origin": f"http://127.0.0.1:{self.port}", "Referer": f"http://127.0.0.1:{self.port}/demo/"}
        path = f"/demo/rest/data/issue?@fields=title&@page_size={10 * max(self.calls, 100)}"
        found = self.ask("GET", path, headers=user).json["data"]
        equal(len(found["collection"]), found["@total_size"], "issues on the page")
        return collections.Counter(issue["title"] for issue in found["collection"])


class Pretix(System):
    """Answers a repeated key from the first request; takes a refund of 999 on an order of 50."""

    name = "pretix"
    tools = ("refund_create",)
    mark = "mark"
    callers = 2  # It writes to one SQLite file.

    def launch(self):
        data = self.home / "pretix"
        self.settings = self.home / "pretix.cfg"
        lines = ["[pretix]", f"url=http://127.0.0.1:{self.port}", f"datadir={data}", "[database]", "backend=sqlite3",
                 f"name={data}/db.sqlite3", "[django]", "debug=false", "secret=known-to-everybody-on-loopback", ""]
        self.settings.write_text("\n".join(lines))
        shutil.copytree(self.migrated(), data)
        environment = {"SEED_ORDERS": str(-(-self.calls // PER_HOLDER))}
        said = self.manage("shell", "-c", (PLACE / "launch/seed_pretix.py").read_text(), environment=environment)
        self.token = json.loads(said.strip().splitlines()[-1])["token"]
        self.run([*self.command(), "runserver", f"127.0.0.1:{self.port}", "--noreload", "--skip-checks"],
                 env=self.environment())

    def migrated(self):
        """pretix takes minutes to make its tables: they are made once and copied."""
        made, done = self.venv / "data", self.venv / "data.done"
        if done.exists():
            return made
        shutil.rmtree(made, ignore_errors=True)
        text = self.settings.read_text()
        self.settings.write_text(text.replace(str(self.home / "pretix"), str(made)))
        print("     making the tables of pretix, once", flush=True)
        self.manage("migrate", "--verbosity", "0")
        self.settings.write_text(text)
        done.write_text("")
        return made

    def command(self):
        return [self.venv / "bin/python", "-m", "pretix"]

    def environment(self, more=()):
        return {**clean_environment(), "PRETIX_CONFIG_FILE": str(self.settings), **dict(more)}

    def manage(self, *arguments, environment=()):
        command = [str(part) for part in (*self.command(), *arguments)]
        done = subprocess.run(command, cwd=self.home, env=self.environment(environment), capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"`pretix {arguments[0]}` failed: {done.stderr[-600:]}")
        return done.stdout

    def secrets(self):
        return {"PRETIX_TOKEN": self.token}

    def descriptors(self):
        return """
[tools."pretix.refund_create"]
risk = "medium"
timeout = "20s"
[tools."pretix.refund_create".entity]
probe = "pretix.order_get"
args = { order = "{args.order}" }
match = { code = "{args.order}", status = "p" }
pin = ["total", "status"]
[tools."pretix.refund_create".effect]
idempotency = { header = "Idempotency-Key" }
probe = "pretix.refund_list"
args = { order = "{args.order}" }
landed = "any(result.data, r, r.comment == $args.mark)"
tries = 6
backoff = "200ms..2s"
[tools."pretix.refund_list"]
effect = "none"
[tools."pretix.order_get"]
effect = "none"
"""

    def rules(self):
        when = "tool == pretix.refund_create and number(amount) > number(entity.total)"
        return [{"rule_id": "no-more-than-paid", "when": when, "effect": "deny"}]

    def call(self, number, mark):
        return "pretix.refund_create", {"order": f"G{number // PER_HOLDER:04}", "amount": "1.00", "mark": mark}

    def forbidden(self, call):
        tool, arguments = call
        return tool, {**arguments, "amount": "999.00"}

    def effects(self):
        seen = collections.Counter()
        for number in range(-(-self.calls // PER_HOLDER)):
            path = f"/api/v1/organizers/gate/events/fair/orders/G{number:04}/refunds/"
            while path:
                page = self.ask("GET", path, headers={"Authorization": f"Token {self.token}"}).json
                seen.update(refund["comment"] for refund in page["results"])
                path = page["next"] and page["next"].split(str(self.port), 1)[1]
        return seen


SYSTEMS = {system.name: system for system in (Radicale, Moto, Localstripe, Roundup, Pretix)}
