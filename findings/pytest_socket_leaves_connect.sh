#!/bin/sh
# pytest-socket 0.8.1 changes `socket.socket` in a suite that does not use it.
#
# The class `socket.socket` of Python inherits `connect` from the C class `_socket.socket`.  After the first test, pytest-socket
# "restores" the method by assigning it to the Python class, with no option given and no socket disabled.  From then on
# `"connect" in vars(socket.socket)` is true.  A tool that patches the method, and later deletes an attribute that was inherited
# when it began, no longer leaves the class as it has found it.
#
# Seen with pytest-socket 0.8.1 and pytest 9.2.0 on Python 3.11: False in the first test, True in the second.  The script fails
# if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check pytest-socket==0.8.1 pytest==9.2.0
cat > "$folder/test_it.py" <<'PYTHON'
import socket


def test_first():
    print("first", "connect" in vars(socket.socket))


def test_second():
    print("second", "connect" in vars(socket.socket))
PYTHON
cd "$folder"
seen=$(venv/bin/python -m pytest -q -s -p no:cacheprovider test_it.py | grep -oE "(first|second) (True|False)")
echo "$seen"
test "$seen" = "first False
second True"
