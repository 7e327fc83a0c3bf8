#!/usr/bin/env bash
# Have the programs of PostgreSQL at hand; the tests start a server of their own with them.
set -euo pipefail
if command -v initdb >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql
else
    echo "PostgreSQL was not found; tests that need it will be skipped. It comes with: sudo apt-get install postgresql" >&2
fi
