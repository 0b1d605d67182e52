#!/usr/bin/env bash
# Decision cost beside Cedar and Rego: builds in release and prints the table.
set -euo pipefail
cd "$(dirname "$0")"
exec cargo run --release --quiet --locked
