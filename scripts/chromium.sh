#!/usr/bin/env bash
# Have Chromium at hand; the tests of the desk look at its pages with it.
set -euo pipefail
if [ -n "${SEP2_CHROMIUM:-}" ] || command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium fonts-dejavu-core
else
    echo "Chromium was not found; tests of the desk's pages will be skipped. It comes with: sudo apt-get install chromium" >&2
fi
