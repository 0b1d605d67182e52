"""OAuth from outside: tokens that others issue for the gate, and tokens that the gate gets for itself.

A real authorization server (servers/authorization.py) with RSA, P-256 and Ed25519 keys, signed with the
libraries that everybody uses; the official Python client brings its tokens. Must not know: how the gate
verifies or keeps anything.
"""

import base64
import hashlib
import hmac
import http.client
import json

import jwt
import kit
from cryptography.hazmat.primitives import serialization
from kit import Gate, check, equal, folder, stage, test
from mcp_clients import drive
from servers.authorization import Authorization, Guarded

POLICY = {"name": "all", "rules": [{"rule_id": "all", "match": {"verbs": ["READ", "WRITE", "DELETE", "ADMIN"]}, "effect": "allow"}]}
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}}}
ERA = {"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list", "Accept": "application/json, text/event-stream"}


def configure(_options):
    """Nothing to configure."""


class Stage:
    def __init__(self):
        home = folder("oauth")
        self.issuer = Authorization()
        self.ours, self.theirs = Guarded(self.issuer), Guarded(self.issuer)
        for server in (self.issuer, self.ours, self.theirs):
            kit.at_end(server.stop)
        (home / "secret").write_text("for-tests-only")
        self.gate = Gate(self.config(), {"all.json": POLICY}, home).opened()
        self.resource = f"{self.gate.url}/mcp"
        self.key = self.gate.cli("key", "create", "billing_agent")["token"]
        self.gate.wait_tools(self.key, "ours.add", "theirs.add")

    def config(self):
        source = """
[[source]]
name = "{name}"
[source.mcp]
url = "{url}/mcp"
[source.mcp.auth.{kind}]
issuer = "{issuer}"
client_id = "gate"
client_secret = "file:secret"
"""
        grants = (("ours", self.ours.url, "client_credentials"), ("theirs", self.theirs.url, "token_exchange"))
        sources = "".join(source.format(name=name, url=url, kind=kind, issuer=self.issuer.url) for name, url, kind in grants)
        return f"""
[posture]
medium = "allow"
high = "allow"
[oauth]
private_addresses = true
[[oauth.issuers]]
issuer = "{self.issuer.url}"
agents = {{ assistant = "billing_agent" }}
user = "sub"
[[agent]]
id = "billing_agent"
owner = "ana@acme.com"
profile = {{ tools = ["*"] }}
{sources}"""

    def token(self, algorithm="RS256", **claims):
        return self.issuer.token(claims.pop("aud", self.resource), algorithm, **claims)

    def mcp(self, token, headers=None):
        return self.gate.http("POST", "/mcp", CALL, token, {**ERA, **(headers or {})})


on = stage(Stage)


@test("tokens of four kinds of keys are taken, on both faces, and name the agent")
def kinds():
    for algorithm in ("RS256", "PS256", "ES256", "EdDSA"):
        token = on().token(algorithm)
        answer = on().mcp(token)
        equal(answer.status, 200, f"{algorithm} on MCP")
        check("ours__add" in answer.body.decode(), kit.shown(answer.body.decode()))
        equal(on().gate.http("GET", "/v1/tools", token=token).status, 200, f"{algorithm} on HTTP")


@test("the official client brings a token, in both eras, and its call runs")
def official():
    for client in ("python-2 modern", "python-2 legacy"):
        target = {"url": on().resource, "token": on().token()}
        asks = [("tools/call", {"name": "ours__add", "arguments": {"note": client}})]
        [answer] = drive(client, target, asks)["answers"]
        equal(answer["result"]["content"][0]["text"], "for the gate", client)
        equal(on().ours.added.count(client), 1, client)


@test("whoever comes without a token is told whose tokens are taken, and where to ask")
def discovered():
    answer = on().mcp(None)
    equal(answer.status, 401, "no token")
    challenge = answer.headers["www-authenticate"]
    place = f"{on().gate.url}/.well-known/oauth-protected-resource/mcp"
    check(f'resource_metadata="{place}"' in challenge and 'scope="toolgate:call"' in challenge, challenge)
    for path in ("/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"):
        said = on().gate.http("GET", path).json
        equal(said["resource"], on().resource, path)
        equal(said["authorization_servers"], [on().issuer.url], path)
        equal(said["bearer_methods_supported"], ["header"], path)


def part(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def by_hand(header, claims, secret=None):
    """A token that no library would write: unsigned, or signed with what is no secret."""
    signed = f"{part(header)}.{part(claims)}"
    signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest() if secret else b""
    return f"{signed}.{part(signature)}"


def forged():
    """Tokens that prove nothing, each with what it pretends."""
    issuer, resource = on().issuer, on().resource
    claims = jwt.decode(on().token(), options={"verify_signature": False})
    own = Authorization()
    kit.at_end(own.stop)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    written = issuer.keys["RS256"].public_key().public_bytes(serialization.Encoding.PEM, form)
    yield "no signature", by_hand({"alg": "none", "typ": "at+jwt"}, claims)
    for public in (written, written.strip(), json.dumps(issuer.jwk("RS256")).encode()):
        yield "the public key as a shared secret", by_hand({"alg": "HS256", "kid": "key-RS256"}, claims, public)
    yield "another audience", issuer.token("https://api.acme.com")
    yield "no audience", issuer.token(resource, aud=None)
    yield "another issuer's name", issuer.token(resource, iss="https://login.other.example")
    yield "another issuer", own.token(resource)
    yield "another issuer's key under a known name", own.token(resource, iss=issuer.url)
    for kid in ("../../dev/null", "key-RS256' OR '1'='1", "", "key-ES256"):
        yield f"the key `{kid}`", own.token(resource, iss=issuer.url, header={"kid": kid})
    yield "a key that it points at", own.token(resource, iss=issuer.url, header={"kid": "x", "jku": f"{own.url}/keys"})
    yield "a key that it brings", own.token(resource, iss=issuer.url, header={"jwk": own.jwk("RS256")})
    yield "an end in the past", on().token(exp=1)
    yield "no end", on().token(exp=None)
    yield "a beginning in the future", on().token(nbf=4_000_000_000)
    yield "a client that nobody named", on().token(client_id="stranger")
    yield "another kind of token", on().token(header={"typ": "logout+jwt"})
    yield "half a token", on().token()[:-20]


@test("a token that proves nothing opens nothing, and is on the record like a bad key")
def attacks():
    before = refusals()
    count = 0
    for what, token in forged():
        count += 1
        answer = on().mcp(token)
        equal(answer.status, 401, what)
        check('error="invalid_token"' in answer.headers["www-authenticate"], what)
        check(token not in answer.body.decode(), f"{what}: the token is repeated")
        equal(on().gate.http("GET", "/v1/tools", token=token).status, 401, f"{what} on HTTP")
    more = []

    def all_there():
        # What was only counted in one second stands beside the first refusal of a later one.
        more.append(on().mcp("x.y.z"))
        return refusals() - before == 2 * count + len(more)

    kit.wait_for("every refusal to be on the record", all_there, 10)


def refusals():
    """What was refused at the door, by the record: written down, or only counted beside it."""
    path = "/v1/records?kind=auth.refused&limit=200"
    records = on().gate.http("GET", path, token=on().gate.admin).json["items"]
    return sum(1 + json.loads(record["text"])["data"]["suppressed_before"] for record in records)


@test("a token in the address, in two headers or in another scheme is none")
def places():
    token = on().token()
    equal(on().gate.http("POST", f"/mcp?access_token={token}", CALL, headers=ERA).status, 401, "in the address")
    equal(on().gate.http("GET", f"/v1/tools?access_token={token}").status, 401, "in the address")
    equal(on().mcp(None, {"Authorization": f"DPoP {token}"}).status, 401, "another scheme")
    connection = http.client.HTTPConnection("127.0.0.1", on().gate.port, timeout=60)
    connection.putrequest("POST", "/mcp")
    for name, value in {**ERA, "Content-Type": "application/json", "Content-Length": str(len(json.dumps(CALL)))}.items():
        connection.putheader(name, value)
    for _ in range(2):
        connection.putheader("Authorization", f"Bearer {token}")
    connection.endheaders(json.dumps(CALL).encode())
    equal(connection.getresponse().status, 401, "two headers")
    connection.close()


@test("a token without the scope is told which one, and policy never is a 403")
def scopes():
    answer = on().mcp(on().token(scope="openid"))
    equal(answer.status, 403, "without the scope")
    challenge = answer.headers["www-authenticate"]
    check('error="insufficient_scope"' in challenge and 'scope="toolgate:call"' in challenge, challenge)
    answer = on().gate.http("GET", "/v1/tools", token=on().token(scope=None))
    equal((answer.status, answer.json["code"]), (403, "insufficient_scope"), "on HTTP")


@test("an agent that is suspended is nobody from the next call on, whatever its token says")
def suspended():
    token = on().token()
    equal(on().mcp(token).status, 200, "before")
    on().gate.cli("agent", "suspend", "billing_agent")
    equal(on().mcp(token).status, 401, "suspended")
    on().gate.cli("agent", "resume", "billing_agent")
    equal(on().mcp(token).status, 200, "resumed")


@test("a server behind the gate is shown the gate's own token, and never the client's")
def passthrough():
    token = on().token()
    envelope = on().gate.invoke(token, "ours.add", {"note": "own"})
    equal(envelope["outcome"], "success", envelope)
    envelope = on().gate.invoke(token, "theirs.whoami", {"note": "exchanged"})
    equal(envelope["data"]["content"][0]["text"], "for bob@acme.com", envelope)
    for server in (on().ours, on().theirs):
        check(len(server.seen) > 3, "nothing was sent")
        for text in server.seen:
            check(token not in text and token.split(".")[2] not in text, "the client's token was passed on")
            check("Bearer granted-" in text, f"without a token of the gate's own: {kit.shown(text)}")
    kinds = {(kind, whose, resource) for kind, whose, resource in on().issuer.asked}
    check(("client_credentials", "the gate", f"{on().ours.url}/mcp") in kinds, kit.shown(sorted(kinds)))
    check(("token-exchange", "bob@acme.com", f"{on().theirs.url}/mcp") in kinds, kit.shown(sorted(kinds)))


@test("a token that was taken back is replaced once, and the call runs once")
def taken_back():
    token = on().token()
    on().gate.invoke(token, "ours.add", {"note": "before"})
    asked = len(on().issuer.asked)
    on().issuer.takes_back()
    envelope = on().gate.invoke(token, "ours.add", {"note": "after"})
    equal(envelope["outcome"], "success", envelope)
    equal(on().ours.added.count("after"), 1, "effects")
    check(len(on().issuer.asked) > asked, "no other token was asked for")
    # The authorization server goes on granting, and the server takes none of it: no loop, no effect.
    asked = len(on().issuer.asked)
    granted, on().issuer.granted = on().issuer.granted, Nobody()
    envelope = on().gate.invoke(token, "ours.add", {"note": "never"})
    on().issuer.granted = granted
    equal(envelope["outcome"], "failure", envelope)
    equal(on().ours.added.count("never"), 0, "effects")
    check(len(on().issuer.asked) - asked <= 2, f"asked {len(on().issuer.asked) - asked} times")


class Nobody(dict):
    """Grants that are worth nothing."""

    def get(self, _key, default=None):
        return default


@test("what is called for a person is not called as the gate instead")
def confused():
    envelope = on().gate.invoke(on().key, "theirs.add", {"note": "nobody's"})
    equal((envelope["outcome"], on().theirs.added.count("nobody's")), ("failure", 0), envelope)
    check("names none" in envelope["error"]["message"], envelope)


@test("two people behind one client see nothing of each other")
def people():
    bob, eve = on().token(), on().token(sub="eve@acme.com")
    key = {"Idempotency-Key": "the-same"}
    first = on().gate.invoke(bob, "theirs.whoami", {"note": "x"}, key)
    second = on().gate.invoke(eve, "theirs.whoami", {"note": "x"}, key)
    equal(first["data"]["content"][0]["text"], "for bob@acme.com", "bob")
    equal(second["data"]["content"][0]["text"], "for eve@acme.com", "eve")
    check(first["invocation_id"] != second["invocation_id"], "one was answered from the other")
    path = f"/v1/invocations/{first['invocation_id']}"
    equal(on().gate.http("GET", path, token=bob).status, 200, "bob's own")
    equal(on().gate.http("GET", path, token=eve).status, 404, "eve on bob's")
    equal(on().gate.http("GET", path, token=on().key).status, 404, "the agent's own key on bob's")
    listed = on().gate.http("GET", "/v1/invocations", token=eve).body.decode()
    check(first["invocation_id"] not in listed, "eve is shown bob's call in the list")
