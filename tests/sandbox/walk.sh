#!/bin/sh
# The whole upgrade through the plain commands, in a sandbox: what a script, or someone without a full screen, does. Every command is
# shown with its output, and its exit code must be the expected one. What must be refused is tried too.
#
#   walk.sh DIR   exits with 0 only if the database ends as Kong 1.3's
set -eu

dir=$1
sandbox() { "$(dirname "$0")/sandbox.sh" "$@"; }

heading() { printf '\n== %s\n' "$*"; }

# expect "CODE…" ARGS…: kong-upgrade with these arguments ends with one of these codes.
expect() {
  codes=$1 code=0
  shift
  printf '\n$ kong-upgrade %s\n' "$*"
  sandbox run "$dir" "$@" </dev/null || code=$?
  case " $codes " in
  *" $code "*) ;;
  *)
    echo "walk.sh: kong-upgrade $* ended with exit code $code, not with $codes" >&2
    exit 1
    ;;
  esac
}

# A node's figures are differences between two looks, and an old node must have been gone for a while: so it is asked again.
until_done() {
  limit=60
  until sandbox run "$dir" "$@" </dev/null >"$dir/output" 2>&1; do
    limit=$((limit - 1))
    [ $limit -gt 0 ] || { cat "$dir/output"; echo "walk.sh: kong-upgrade $* did not succeed within a minute" >&2; exit 1; }
    sleep 1
  done
  printf '\n$ kong-upgrade %s\n' "$*"
  cat "$dir/output"
}

heading 'Before'
expect 5 status
expect '0 6' check
expect 0 plan
expect 5 finish --confirm kong
if sandbox new "$dir" 1; then
  echo 'walk.sh: a 1.3 node started before up' >&2
  exit 1
fi

heading '1. Migrate up'
expect 0 up --yes
expect 4 status
expect 0 up --yes

heading '2. Start new nodes'
sandbox new "$dir"
expect 0 nodes

heading '3. Divert traffic'
for percent in 5 25 50 100; do
  sandbox divert "$dir" $percent
  echo "$percent % of the traffic goes to the new nodes"
  sleep 1
done
expect 0 nodes

heading '4. Stop old nodes'
expect 7 finish --confirm another
sandbox stop-old "$dir"
expect 0 nodes

heading '5. Finish'
until_done finish --confirm kong

heading 'After'
expect 0 status
expect 0 report
