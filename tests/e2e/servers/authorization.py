"""An authorization server on loopback with real keys of four kinds, and a server that takes its tokens.

The first signs access tokens (RS256, PS256, ES256, EdDSA) and answers client credentials (RFC 6749)
and exchanges (RFC 8693); the second speaks MCP over HTTP, writes down what it was shown, and does
nothing for whoever brings no token that was granted. Both run in threads of the test. Must not know: the gate.
"""

import base64
import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa


class Server:
    """Something that answers requests in a thread, until it is stopped."""

    def __init__(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.reply(*outer.get(self.path, self.headers))

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.reply(*outer.post(self.path, self.headers, body))

            def do_DELETE(self):
                self.reply(200, {})

            def reply(self, status, document, headers=()):
                text = b"" if document is None else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

        self.lock = threading.Lock()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()


class Authorization(Server):
    """Issues tokens."""

    def __init__(self):
        self.keys = {
            "RS256": rsa.generate_private_key(65537, 2048), "PS256": rsa.generate_private_key(65537, 2048),
            "ES256": ec.generate_private_key(ec.SECP256R1()), "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        }
        self.asked, self.granted = [], {}
        super().__init__()

    def jwk(self, algorithm):
        public = self.keys[algorithm].public_key()
        written = jwt.get_algorithm_by_name(algorithm).to_jwk(public, as_dict=True)
        return {**written, "kid": f"key-{algorithm}", "use": "sig", "alg": algorithm}

    def token(self, audience, algorithm="RS256", header=None, key=None, **claims):
        """A signed token; a claim that is None is left out."""
        now = int(time.time())
        whole = {"iss": self.url, "aud": audience, "iat": now, "exp": now + 3600, "sub": "bob@acme.com",
                 "client_id": "assistant", "scope": "openid toolgate:call", **claims}
        whole = {name: value for name, value in whole.items() if value is not None}
        headers = {"typ": "at+jwt", "kid": f"key-{algorithm}", **(header or {})}
        return jwt.encode(whole, key or self.keys[algorithm], algorithm=algorithm, headers=headers)

    def get(self, path, _headers):
        if path == "/.well-known/oauth-authorization-server":
            return 200, {"issuer": self.url, "jwks_uri": f"{self.url}/keys", "token_endpoint": f"{self.url}/token"}
        if path == "/keys":
            return 200, {"keys": [self.jwk(algorithm) for algorithm in self.keys]}
        return 404, {}

    def post(self, path, headers, body):
        form = dict(urllib.parse.parse_qsl(body.decode()))
        client = base64.b64decode(headers.get("Authorization", "Basic ").split(" ", 1)[1]).decode()
        if path != "/token" or client != "gate:" + "for-tests-only":
            return 401, {"error": "invalid_client"}
        with self.lock:
            whose = "the gate"
            if form["grant_type"].endswith("token-exchange"):
                whose = jwt.decode(form["subject_token"], options={"verify_signature": False})["sub"]
            self.asked.append((form["grant_type"].rsplit(":", 1)[-1], whose, form.get("resource")))
            token = f"granted-{len(self.asked)}"
            self.granted[token] = whose
            return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600}

    def takes_back(self):
        """From now on no token that was granted so far is worth anything."""
        with self.lock:
            self.granted.clear()


class Guarded(Server):
    """An MCP server (2025-06-18) with two tools, for whoever brings a token that was granted."""

    TOOLS = [{"name": name, "description": f"Does {name}.", "inputSchema": {"type": "object", "properties": {"note": {"type": "string"}}}}
             for name in ("add", "whoami")]

    def __init__(self, authorization):
        self.authorization, self.seen, self.added = authorization, [], []
        super().__init__()

    def get(self, _path, headers):
        self.seen.append(str(headers))
        return 405, {}

    def post(self, _path, headers, body):
        message = json.loads(body)
        with self.lock:
            self.seen.append(str(headers) + body.decode())
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        whose = self.authorization.granted.get(token)
        if whose is None:
            return 401, {"error": "invalid_token"}, [("WWW-Authenticate", 'Bearer error="invalid_token"')]
        if "id" not in message:
            return 202, None
        said = self.said(message["method"], message.get("params", {}), whose)
        return 200, {"jsonrpc": "2.0", "id": message["id"], **said}

    def said(self, method, params, whose):
        if method == "initialize":
            return {"result": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                               "serverInfo": {"name": "guarded", "version": "1"}}}
        if method == "tools/list":
            return {"result": {"tools": self.TOOLS}}
        if method != "tools/call":
            return {"error": {"code": -32601, "message": "unknown method"}}
        if params["name"] == "add":
            with self.lock:
                self.added.append(params["arguments"].get("note"))
        return {"result": {"content": [{"type": "text", "text": f"for {whose}"}]}}
