#!/usr/bin/env bash
# One MCP tool call beside other gateways: builds what is missing in release and prints the tables.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
proxy="$root/target/bench/peers/mcp-proxy"
if [ -z "${TOOLGATE_BIN:-}" ]; then
    (cd "$root" && cargo build --release --quiet --locked -p toolgate -p toolgate-testkit --bins)
fi
if [ -z "${BENCH_MCP_BIN:-}" ]; then
    cargo build --release --quiet --locked
fi
if [ ! -x "$proxy/bin/mcp-proxy" ]; then
    cargo install mcp-proxy --version =0.6.0 --locked --quiet --no-default-features --features protocol-2026-07-28 --root "$proxy"
fi
exec python3 run.py "$@"
