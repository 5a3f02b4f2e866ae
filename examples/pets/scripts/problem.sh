# Read by the scripts beside it: answers with a problem (RFC 9457).
# problem STATUS TITLE DETAIL
problem() {
  printf '{"title":"%s","status":%s,"detail":"%s"}\n' "$2" "$1" "$3" |
    urocket reply --status "$1" --type application/problem+json
}
