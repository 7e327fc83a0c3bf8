#!/usr/bin/env bash
# Make .venv with one set of extras (envelope, test or dev), unless it is there already.
set -euo pipefail
cd "$(dirname "$0")/.."
extras="$1"

# What each set contains besides itself.
case "$extras" in
    demo) enough="demo test dev" ;;
    test) enough="test dev" ;;
    dev) enough="dev" ;;
    *) echo "usage: scripts/venv.sh demo|test|dev" >&2; exit 2 ;;
esac

wanted="$(cat pyproject.toml constraints.txt | sha256sum)"
for set in $enough; do
    if [ "$(cat ".venv/made-for-$set" 2>/dev/null)" = "$wanted" ]; then exit 0; fi
done

find_python() {
    local name
    for name in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
        if [ -n "$name" ] && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "Python 3.11 or newer is needed and was not found; say where it is: make PYTHON=/path/to/python3" >&2
    return 1
}

if [ ! -x .venv/bin/python ]; then
    python="$(find_python)"
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            apt-get update -q
            DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends python3-venv
        else
            echo "$python can not make virtual environments; install that part first: sudo apt-get install python3-venv" >&2
            exit 1
        fi
    fi
    "$python" -m venv .venv
fi

echo "Installing sep2[$extras] into .venv ..."
.venv/bin/python -m pip install -q --no-compile --disable-pip-version-check -c constraints.txt -e ".[$extras]"
# pip compiles one file after the other. Files of packages that are no Python of today are left as they are.
.venv/bin/python -m compileall -qq -j 0 .venv/lib || true
echo "$wanted" > ".venv/made-for-$extras"
