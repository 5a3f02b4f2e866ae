#!/bin/sh
printf 'hello\n' | curl -sS -o /dev/null -H 'Content-Type: text/plain' --unix-socket "$UROCKET_SOCKET" --data-binary @- "http://localhost$UROCKET_REPLY"
