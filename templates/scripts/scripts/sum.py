"""POST /sum. The body comes on standard input, as JSON that the contract has checked."""

import http.client
import json
import os
import socket
import sys


class ReplySocket(http.client.HTTPConnection):
    """HTTP over the unix socket that takes the replies."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["UROCKET_SOCKET"])


numbers = json.load(sys.stdin)["numbers"]
connection = ReplySocket("localhost")
connection.request(
    "POST",
    os.environ["UROCKET_REPLY"],
    json.dumps({"sum": sum(numbers)}),
    {"Content-Type": "application/json"},
)
answer = connection.getresponse()
if answer.status != 200:
    sys.exit(f"The reply was refused: {answer.status} {answer.read().decode()}")
