#!/bin/sh
# With `encoding: raw` standard input is the body as the client sent it, whatever it is.
exec curl --silent --show-error --fail --output /dev/null --unix-socket "$UROCKET_SOCKET" \
  --header "Content-Type: $CONTENT_TYPE" --data-binary @- "http://localhost$UROCKET_REPLY"
