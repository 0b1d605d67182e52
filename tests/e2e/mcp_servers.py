"""The official MCP servers of the matrix: how each is started, and what is asked of it.

Each can lose a call: the server has it, and then the connection is gone. The one over HTTP does so
behind the faulty proxy, the others behind servers/lossy.py. Must not know: who asks, or whether a
gate stands in between.
"""

import json
import sqlite3
import sys

import kit
import provision
from kit import HERE, Process, Proxy, at_end, check, equal, free_port, wait_for

LOSSY = HERE / "servers/lossy.py"


def call(tool, **arguments):
    return ["tools/call", {"name": tool, "arguments": arguments}]


class Server:
    """A real server: how it is started, and what is asked of it."""

    hidden = ("no-such-tool",)
    settings = ""
    offers = ()

    def __init__(self, home):
        self.home = home / self.name
        self.home.mkdir()
        self.switch = self.home / "lose"
        self.set_up()

    def set_up(self):
        """Whatever must be there before it starts."""

    @property
    def direct(self):
        return {"command": self.command[0], "args": self.command[1:]}

    def connection(self):
        return f"command = {json.dumps([sys.executable, str(LOSSY), str(self.switch), *self.command])}"

    def lose(self):
        """The next call's connection breaks once the server has the call."""
        self.switch.touch()

    def source(self):
        return f'[[source]]\nname = "{self.name}"\nmcp = {{ {self.connection()} }}\n{self.settings}'

    def granted(self):
        asks = [*self.calls(), self.denied(), self.waits("x", 0), self.lost("x", 0)]
        return sorted({params["name"] for _, params in asks})

    def through(self, ask):
        """The same ask in the names that the gate gives."""
        method, params = ask
        if "uri" in params:
            return [method, {**params, "uri": f"toolgate://{self.name}/{params['uri']}"}]
        return [method, {**params, "name": f"{self.name}__{params['name']}"}] if "name" in params else ask


class Everything(Server):
    name = "everything"
    hidden = ("no-such-tool", "get-env")
    offers = (
        ["prompts/get", {"name": "simple-prompt", "arguments": {}}],
        ["prompts/get", {"name": "args-prompt", "arguments": {"city": "Ulm", "state": "Württemberg"}}],
        ["resources/read", {"uri": "demo://resource/static/document/features.md"}],
    )

    @property
    def command(self):
        return [str(provision.node_binary()), str(provision.npm_server("mcp-server-everything")), "stdio"]

    def calls(self):
        return [
            call("echo", message='grüße, 世界 \u2028 "quoted"'),
            call("get-sum", a=2, b=3.5),
            call("get-structured-content", location="Chicago"),
            call("get-tiny-image"),
            call("get-annotated-message", messageType="error", includeImage=True),
            call("get-resource-links", count=3),
        ]

    def denied(self):
        return call("get-sum", a=1000, b=1)

    def waits(self, client, number):
        return call("get-sum", a=51, b=number)

    def lost(self, client, number):
        return call("echo", message=f"lost to {client}")

    def happened(self, client, number, text):
        check(str(51 + number) in text, f"the sum of 51 and {number}: {text}")


class Web(Everything):
    """The same server over streamable HTTP, kept on loopback, behind a proxy that loses answers."""

    name = "web"

    def set_up(self):
        port = free_port()
        loopback = HERE / "servers/loopback.cjs"
        command = [provision.node_binary(), "--require", loopback, provision.npm_server("mcp-server-everything"), "streamableHttp"]
        process = Process(command, self.home / "web.log", env={**kit.clean_environment(), "PORT": str(port)})
        at_end(process.kill)
        wait_for("server-everything over HTTP", lambda: answers(port))
        self.url = f"http://127.0.0.1:{port}/mcp"
        self.proxy = Proxy(self.home, port, aim={"tools": ["echo"]})
        at_end(self.proxy.stop)

    @property
    def direct(self):
        return {"url": self.url}

    def connection(self):
        return f"url = {json.dumps(self.proxy.url)}"

    def lose(self):
        self.proxy.tell({"arm": {"fault": "after"}})


class Files(Server):
    name = "files"
    hidden = ("no-such-tool", "move_file")

    def set_up(self):
        self.place = self.home / "kept"
        self.place.mkdir()
        (self.place / "note.txt").write_text("what was written\n", encoding="utf-8")

    @property
    def command(self):
        return [str(provision.node_binary()), str(provision.npm_server("mcp-server-filesystem")), str(self.place)]

    def calls(self):
        return [
            call("read_text_file", path=str(self.place / "note.txt")),
            call("list_allowed_directories"),
            call("read_text_file", path="/etc/passwd"),
        ]

    def denied(self):
        return call("write_file", path=str(self.place / "new.txt"), content="x")

    def waits(self, client, number):
        return call("create_directory", path=str(self.place / f"of {client}"))

    def lost(self, client, number):
        return call("search_files", path=str(self.place), pattern=client)

    def happened(self, client, number, text):
        check((self.place / f"of {client}").is_dir(), f"the directory of {client} is not there: {text}")
        check(not (self.place / "new.txt").exists(), "the denied file is there")


class Time(Server):
    name = "clock"
    zones = ("Asia/Tokyo", "Europe/Paris", "UTC", "America/Lima", "Africa/Cairo", "Asia/Dubai", "Europe/Oslo", "Pacific/Guam")

    @property
    def command(self):
        return [sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC"]

    def calls(self):
        return [
            call("convert_time", source_timezone="Europe/Paris", time="16:30", target_timezone="Asia/Tokyo"),
            call("convert_time", source_timezone="Nowhere/Land", time="16:30", target_timezone="UTC"),
        ]

    def denied(self):
        return call("convert_time", source_timezone="UTC", time="00:00", target_timezone="UTC")

    def waits(self, client, number):
        return call("get_current_time", timezone=self.zones[number])

    def lost(self, client, number):
        return call("convert_time", source_timezone="UTC", time=f"12:{number:02}", target_timezone="UTC")

    def happened(self, client, number, text):
        check(self.zones[number] in text, f"the time in {self.zones[number]}: {text}")


class Sqlite(Server):
    name = "sqlite"
    offers = (
        ["prompts/get", {"name": "mcp-demo", "arguments": {"topic": "bridges"}}],
        ["resources/read", {"uri": "memo://insights"}],
    )
    # It annotates nothing, so its tools are rated for the worst.
    settings = "".join(f'[tools."sqlite.{name}"]\nrisk = "low"\n' for name in
                       ("read_query", "list_tables", "describe_table", "create_table", "write_query"))

    def set_up(self):
        self.database = self.home / "notes.db"
        with sqlite3.connect(self.database) as connection:
            connection.execute("create table notes (text text)")

    @property
    def command(self):
        return [str(kit.VENV_1X / "bin/mcp-server-sqlite"), "--db-path", str(self.database)]

    def calls(self):
        return [
            call("list_tables"),
            call("describe_table", table_name="notes"),
            call("read_query", query="SELECT 'grüße' AS greeting, 0.1 AS number, NULL AS nothing"),
            call("read_query", query="SELECT nothing FROM nowhere"),
        ]

    def denied(self):
        return call("create_table", query="CREATE TABLE other (text text)")

    def waits(self, client, number):
        return call("write_query", query=f"INSERT INTO notes VALUES ('{client}')")

    def lost(self, client, number):
        return call("read_query", query=f"SELECT '{client}' AS lost")

    def happened(self, client, number, text):
        with sqlite3.connect(self.database) as connection:
            rows = connection.execute("select count(*) from notes where text = ?", [client]).fetchone()
        equal(rows[0], 1, f"the rows of {client}")


def answers(port):
    try:
        return kit.request(port, "GET", "/mcp", timeout=2).status
    except OSError:
        return None


SERVERS = {server.name: server for server in (Everything, Web, Files, Time, Sqlite)}
