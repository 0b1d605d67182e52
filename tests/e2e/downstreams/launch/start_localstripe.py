"""localstripe on loopback, without what an earlier run left behind.

Its own command listens on every interface and keeps its data in one file for the whole machine.
"""

import sys

from aiohttp import web
from localstripe.resources import Store
from localstripe.server import app

Store.dump_to_disk = lambda store: None
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
