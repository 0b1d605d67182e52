"""A small HTTP API that says what it was asked, leads where it is told to, and keeps silent where it should.

    api = Api({"/away": "http://127.0.0.1:9/x"}, silent=("/slow",))
    api.asked   ->  [{"method": "GET", "target": "/echo", "headers": {...}, "body": ""}]
"""

import http.server
import json
import threading


class Api:
    """Serves on a free port of this machine until it is stopped."""

    def __init__(self, redirects=None, silent=()):
        self.redirects, self.silent = redirects or {}, silent
        self.asked, self.ended = [], threading.Event()
        handler = type("Handler", (Answers,), {"api": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api = None

    def answer(self):
        length = int(self.headers.get("content-length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = {"method": self.command, "target": self.path, "headers": headers, "body": self.rfile.read(length).decode()}
        self.api.asked.append(asked)
        path = self.path.split("?")[0]
        if path in self.api.silent:
            self.api.ended.wait()
            return
        target = self.api.redirects.get(path)
        body = b"" if target else json.dumps(asked).encode()
        self.send_response(302 if target else 200)
        if target:
            self.send_header("Location", target)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_):
        """Says nothing."""
