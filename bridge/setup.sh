#!/bin/sh
# Makes bridge/.venv with the packages of requirements.txt, for gym_server.py. Run it as often as you
# like: nothing happens while they are the same.
set -eu
cd "$(dirname "$0")"

fail() {
  printf 'bridge setup: %s\n' "$*" >&2
  exit 1
}

# Written last, so that a set-up which was cut off is done again.
done_mark=.venv/requirements.txt
if cmp -s requirements.txt "$done_mark" && .venv/bin/python -c '' 2>/dev/null; then exit 0; fi

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  fail "needs Python 3.11 or newer, and $python is not; install it, or name it: PYTHON=python3.12 sh bridge/setup.sh"
rm -rf .venv
"$python" -m venv .venv ||
  fail "$python cannot make a virtual environment; on Debian: apt-get install python3-venv"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.txt ||
  fail "the packages of bridge/requirements.txt could not be installed"
.venv/bin/python -m pip check --quiet --disable-pip-version-check ||
  fail "the packages of bridge/requirements.txt do not fit together"
cp requirements.txt "$done_mark"
