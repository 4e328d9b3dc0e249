"""OpenLEADR's way between bytes and dicts, as it comes; run by the interpreter of its own environment.

Each line of standard input asks something: ``know`` brings a document under a name, ``read`` and ``write`` do the work
a number of times and tell the seconds of CPU that it took.
"""

import json
import sys
from time import process_time
from typing import Any

from openleadr.messaging import create_message, parse_message, validate_xml_schema

documents: dict[str, bytes] = {}
contents: dict[str, tuple[str, dict[str, Any]]] = {}


def read(name: str) -> tuple[str, dict[str, Any]]:
    """Do what a server of OpenLEADR does with the bytes of a request."""
    validate_xml_schema(documents[name])
    return parse_message(documents[name])


def write(name: str) -> str:
    """Do what it does to make the bytes of an answer; nothing is signed."""
    message_type, content = contents[name]
    return create_message(message_type, **content)


def know(name: str, document: str) -> dict[str, object]:
    """Take a document, and try both ways once."""
    documents[name] = document.encode()
    told: dict[str, object] = {}
    try:
        contents[name] = read(name)
        told["read"] = contents[name][0]
        told["written"] = write(name)
    except Exception as error:  # whatever it finds wrong
        told["error"] = f"{type(error).__name__}: {error}"
    return told


def measure(what: str, name: str, times: int) -> float:
    """Do the work a number of times."""
    work = {"read": read, "write": write}[what]
    began = process_time()
    for _ in range(times):
        work(name)
    return process_time() - began


print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if asked["do"] == "know":
        answer: object = know(asked["name"], asked["document"])
    else:
        answer = measure(asked["do"], asked["name"], asked["times"])
    print(json.dumps(answer), flush=True)
