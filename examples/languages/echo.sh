#!/bin/sh
# Reads the payload, and answers with curl.
payload=$(cat)
printf '{"language":"sh","requestId":"%s","payload":%s}\n' "$REQUEST_ID" "$payload" |
  curl --silent --show-error --fail --output /dev/null --unix-socket "$UROCKET_SOCKET" \
    --header 'Content-Type: application/json' --data-binary @- "http://localhost$UROCKET_REPLY"
