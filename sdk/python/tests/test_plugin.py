"""A plugin answers the gate's requests, each once, and nobody else's with anything that counts."""

import base64
import io
import json
import unittest

from toolgate.errors import Misconfigured
from toolgate.plugin import Call, Done, Found, NotExecuted, Plugin, Refused, Secrets, Unverified

SECRET = "whsec_" + "A" * 32
OTHER = "whsec_" + "B" * 32
NOW = 1_000_000


class World:
    """A plugin with a clock that stands still, and a gate that knows its secret."""

    def __init__(self, secret=SECRET):
        self.now = NOW - 10
        self.plugin = Plugin("refunds", secret, owner="ana@acme.com", clock=lambda: self.now)
        self.now = NOW
        self.ran = []
        self.count = 0

        @self.plugin.action(risk="high", resource="charge:{args.charge}")
        def issue(call: Call, charge: str, amount: int = 1) -> Done:
            """Gives money back."""
            if amount == 0:
                raise NotExecuted("there is nothing to refund")
            self.ran.append((call.invocation_id, charge))
            if amount < 0:
                raise ValueError("a word that must not leave the house")
            return Done("refunded", data={"charge": charge}, effects={"change_status": "refunded"})

        @issue.authorize
        def may(call: Call, charge: str, amount: int = 1) -> None:
            if charge == "closed":
                raise Refused("the desk is closed")

        @issue.reflect
        def issued(call: Call, charge: str, amount: int = 1) -> Found:
            return Found(None if charge == "blind" else any(id == call.invocation_id for id, _ in self.ran))

    def ask(self, step, body=None, **options):
        """Status, headers and answer of one signed request; the id of each is another one."""
        self.count += 1
        id, timestamp = options.get("id", f"req_{self.count}"), options.get("timestamp", self.now)
        asked = b"" if step == "health" else json.dumps({"type": f"action.{step}", **(body or {})}).encode()
        headers = {"Webhook-Id": id, "Webhook-Timestamp": str(timestamp)}
        headers["Webhook-Signature"] = Secrets(options.get("secret", SECRET)).sign(id, timestamp, asked)
        method = "GET" if step == "health" else "POST"
        status, given, said = self.plugin.handle(method, f"/below/action/{options.get('at', step)}", headers, asked)
        return status, given, json.loads(said)

    def call(self, step, **arguments):
        status, _, answer = self.ask(step, {"action": "issue", "arguments": arguments, "invocation_id": "inv_1"})
        return status, answer


class Answers(unittest.TestCase):
    """What a request that is the gate's gets."""

    def test_a_signature_is_that_of_the_reference(self):
        secrets = Secrets("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        signed = secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
        self.assertEqual(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")

    def test_every_answer_is_signed_for_its_request(self):
        world = World()
        for step in ("health", "discover", "execute"):
            status, headers, answer = world.ask(
                step, {"action": "issue", "arguments": {"charge": "ch_1"}}, id=f"req_{step}"
            )
            self.assertEqual((status, headers["webhook-id"]), (200, f"req_{step}"))
            Secrets(SECRET).verify(headers, json.dumps(answer).encode(), NOW)

    def test_what_it_can_do_is_told(self):
        world = World()
        _, _, told = world.ask("discover")
        [action] = told["actions"]
        self.assertEqual((action["id"], action["risk"], action["reflect"]), ("issue", "high", True))
        self.assertEqual(action["input_schema"]["required"], ["charge"])
        before = world.ask("health")[2]["revision"]
        world.plugin.actions["issue"].definition["risk"] = "low"
        self.assertNotEqual(world.ask("health")[2]["revision"], before)
        world.plugin.is_in("degraded", "slow")
        self.assertEqual(world.ask("health")[2]["status"], "degraded")

    def test_a_call_is_refused_made_and_found(self):
        world = World()
        self.assertEqual(
            world.call("authorize", charge="closed"), (200, {"allowed": False, "message": "the desk is closed"})
        )
        self.assertEqual(world.call("authorize", charge="ch_1"), (200, {"allowed": True}))
        self.assertEqual(world.call("reflect", charge="ch_1")[1]["found"], False)
        status, answer = world.call("execute", charge="ch_1")
        self.assertEqual((status, answer["success"], answer["effects"]), (200, True, {"change_status": "refunded"}))
        self.assertEqual(world.call("reflect", charge="ch_1")[1]["found"], True)
        self.assertEqual(world.call("reflect", charge="blind")[1]["found"], "unknown")

    def test_only_what_certainly_did_not_happen_is_a_failure(self):
        world = World()
        status, answer = world.call("execute", charge="ch_1", amount=0)
        self.assertEqual((status, answer["success"], answer["message"]), (200, False, "there is nothing to refund"))
        with self.assertLogs("toolgate.plugin"):
            status, answer = world.call("execute", charge="ch_1", amount=-1)
        self.assertEqual((status, "success" in answer), (500, False))
        self.assertNotIn("a word", json.dumps(answer))

    def test_it_is_a_wsgi_application(self):
        world, said = World(), []
        body = json.dumps({"type": "action.discover"}).encode()
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/action/discover", "CONTENT_LENGTH": str(len(body))}
        environ |= {"wsgi.input": io.BytesIO(body), "HTTP_WEBHOOK_ID": "req_w", "HTTP_WEBHOOK_TIMESTAMP": str(NOW)}
        environ["HTTP_WEBHOOK_SIGNATURE"] = Secrets(SECRET).sign("req_w", NOW, body)
        [answer] = world.plugin.wsgi(environ, lambda status, headers: said.append(status))
        self.assertEqual((said, json.loads(answer)["provider"]), (["200 OK"], "refunds"))
        list(
            world.plugin.wsgi({**environ, "CONTENT_LENGTH": str(3 << 20)}, lambda status, headers: said.append(status))
        )
        self.assertEqual(said[-1][:3], "413")


class Refusals(unittest.TestCase):
    """What anybody else gets: nothing that could be passed off as an answer."""

    def refused(self, world, *args, **options):
        status, headers, _ = world.ask(*args, **options)
        self.assertEqual((status, "webhook-signature" in headers), (401, False), (args, options))

    def test_strangers(self):
        world = World()
        call = {"action": "issue", "arguments": {"charge": "ch_1"}}
        self.refused(world, "execute", call, secret=OTHER)
        for timestamp in (NOW - 61, NOW + 61):
            self.refused(world, "execute", call, timestamp=timestamp)
        # What was signed before the plugin started may have been run before it started.
        self.refused(world, "execute", call, timestamp=NOW - 10)
        self.assertEqual(world.ask("execute", call, id="req_x")[0], 200)
        self.refused(world, "execute", call, id="req_x")
        self.assertEqual(len(world.ran), 1)
        unsigned = world.plugin.handle("POST", "/action/execute", {}, b"{}")
        self.assertEqual(unsigned[0], 401)

    def test_a_request_for_one_step_is_not_taken_at_another(self):
        world = World()
        call = {"action": "issue", "arguments": {"charge": "ch_1"}, "invocation_id": "inv_1"}
        self.assertEqual(world.ask("authorize", call, at="execute")[0], 400)
        self.assertEqual((world.ask("execute", {"action": "other"})[0], world.ran), (404, []))

    def test_an_old_request_is_forgotten_only_when_it_is_too_old_to_be_taken(self):
        world = World()
        world.ask("health", id="req_x", timestamp=NOW + 60)
        world.now = NOW + 120
        self.refused(world, "health", id="req_x", timestamp=NOW + 60)

    def test_both_secrets_hold_while_they_are_changed(self):
        world = World(f"{OTHER} {SECRET}")
        for secret in (SECRET, OTHER):
            self.assertEqual(world.ask("health", secret=secret)[0], 200)

    def test_what_is_no_secret(self):
        for text in ("", "hunter2", "whsec_%%%", "whsec_QUFB", f"{SECRET} {SECRET} {SECRET}"):
            with self.assertRaises(Misconfigured):
                Secrets(text)
        with self.assertRaises(Unverified):
            headers = {"webhook-id": "a", "webhook-timestamp": str(NOW), "webhook-signature": "v1,=="}
            Secrets(SECRET).verify(headers, b"", NOW)
        self.assertEqual(len(base64.b64decode(Secrets(SECRET).sign("a", 1, b"")[3:])), 32)
