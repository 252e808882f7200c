#!/bin/sh
# aioresponses 0.7.9 cannot answer a request of aiohttp 3.14.5.
#
# aiohttp 3.14 has given the constructor of ClientResponse a required argument, `stream_writer`.  aioresponses makes such a
# response for each mocked request, without the argument, so a request that matches raises a TypeError in the code under test
# and looks like a fault of that code.  A response class that supplies the argument (`response_class=`) helps.
#
# Seen with aioresponses 0.7.9 and aiohttp 3.14.5 on Python 3.11: "ClientResponse.__init__() missing 1 required keyword-only
# argument: 'stream_writer'".  The script fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check aioresponses==0.7.9 aiohttp==3.14.5
cat > "$folder/request.py" <<'PYTHON'
import asyncio

import aiohttp
from aioresponses import aioresponses


async def main():
    with aioresponses() as mock:
        mock.get("http://config.example/v1", payload={"v": 1})
        async with aiohttp.ClientSession() as session:
            async with session.get("http://config.example/v1") as response:
                return await response.json()


try:
    print(asyncio.run(main()))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
PYTHON
seen=$("$folder/venv/bin/python" "$folder/request.py")
echo "$seen"
test "$seen" = "TypeError: ClientResponse.__init__() missing 1 required keyword-only argument: 'stream_writer'"
