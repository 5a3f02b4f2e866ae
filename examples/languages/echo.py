"""Answers with the standard library's HTTP client, told to connect to a unix socket."""

import http.client
import json
import os
import socket
import sys


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


answer = {
    "language": "python",
    "requestId": os.environ["REQUEST_ID"],
    "payload": json.load(sys.stdin),
}
connection = UnixConnection(os.environ["UROCKET_SOCKET"])
connection.request("POST", os.environ["UROCKET_REPLY"], json.dumps(answer), {"Content-Type": "application/json"})
taken = connection.getresponse()
if taken.status != 200:
    sys.exit(f"The reply was not taken: {taken.status} {taken.read().decode()}")
