"""Roundup's demo tracker, made anew and served on loopback by its own WSGI handler.

Roundup's server refuses to run as root, which is what tests may run as; its handler does not mind.
"""

import contextlib
import io
import socketserver
import sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from roundup import demo, instance, password
from roundup.cgi.wsgi_handler import RequestDispatcher

home, port = sys.argv[1], int(sys.argv[2])


def quick_password():
    """Every request signs in with the same password: a hash made to be slow tests nothing here."""
    opened = instance.open(home)
    opened.config["PASSWORD_PBKDF2_DEFAULT_ROUNDS"] = 1000
    opened.config.save()
    database = opened.open("admin")
    user = database.user.lookup("demo")
    database.user.set(user, password=password.Password("demo", config=opened.config))
    database.commit()
    database.close()


with contextlib.redirect_stdout(io.StringIO()):
    demo.install_demo(home, "sqlite", "classic", port, "127.0.0.1")
quick_password()
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
