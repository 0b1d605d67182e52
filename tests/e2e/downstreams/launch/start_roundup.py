"""Roundup's demo tracker, made anew and served on loopback by its own WSGI handler.

Roundup's server refuses to run as root, which is what tests may run as; its handler does not mind.
"""

import contextlib
import io
import socketserver
import sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from roundup import demo
from roundup.cgi.wsgi_handler import RequestDispatcher

home, port = sys.argv[1], int(sys.argv[2])
with contextlib.redirect_stdout(io.StringIO()):
    demo.install_demo(home, "sqlite", "classic", port, "127.0.0.1")
tracker = RequestDispatcher(home)


def at_demo(environ, start_response):
    environ["SCRIPT_NAME"] = "/demo"
    environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix("/demo")
    return tracker(environ, start_response)


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Handler(WSGIRequestHandler):
    def log_message(self, *_):
        """What happened is in the tracker."""


make_server("127.0.0.1", port, at_demo, Server, Handler).serve_forever()
