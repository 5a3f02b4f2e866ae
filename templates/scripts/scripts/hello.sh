#!/bin/sh
# GET /hello/{name}. Path parameters are in the environment, as UROCKET_PARAM_<NAME>; the contract has checked them.

# Sends what it reads as the reply: with curl, or by urocket's own command where there is no curl.
reply() {
  if command -v curl >/dev/null; then
    curl --silent --show-error --fail --output /dev/null --unix-socket "$UROCKET_SOCKET" \
      --header 'Content-Type: application/json' --data-binary @- "http://localhost$UROCKET_REPLY"
  else
    urocket reply --type application/json
  fi
}

echo "greeting $UROCKET_PARAM_NAME" # goes to the log

printf '{"message":"%s, %s!"}\n' "$GREETING" "$UROCKET_PARAM_NAME" | reply
