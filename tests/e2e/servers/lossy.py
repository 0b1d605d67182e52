"""A server on standard streams whose connection breaks when it is told to: `lossy.py SWITCH COMMAND…`.

Lines go through as they are. When there is a file SWITCH, the next `tools/call` still reaches the
server, and then the file is gone, the server is killed and so is the connection: whoever called
cannot know what became of it. Must not know: MCP beyond that one word.
"""

import pathlib
import subprocess
import sys
import threading

SWITCH = pathlib.Path(sys.argv[1])
LOST = threading.Event()


def main():
    server = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    threading.Thread(target=outward, args=[server.stdout], daemon=True).start()
    for line in sys.stdin.buffer:
        if b'"tools/call"' in line and SWITCH.exists():
            LOST.set()
        server.stdin.write(line)
        server.stdin.flush()
        if LOST.is_set():
            SWITCH.unlink()
            break
    server.kill()
    server.wait()


def outward(stream):
    for line in stream:
        if not LOST.is_set():
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()


main()
