#!/bin/sh
if [ -n "$GATEWAY_INTERFACE" ]; then printf 'Content-Type: text/plain\r\n\r\n'; fi
printf 'hello\n'
