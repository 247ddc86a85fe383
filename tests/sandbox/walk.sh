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

# An old node must have been gone for a moment before `finish` believes it: so it is asked again, for a minute.
finish() {
  limit=60 code=0
  while sandbox run "$dir" finish --confirm kong </dev/null >"$dir/output" 2>&1 || code=$?; [ $code = 7 ] && [ $limit -gt 0 ]; do
    limit=$((limit - 1)) code=0
    sleep 1
  done
  printf '\n$ kong-upgrade finish --confirm kong\n'
  cat "$dir/output"
  if [ $code != 0 ]; then
    echo "walk.sh: finish ended with exit code $code" >&2
    exit 1
  fi
}

schema() {
  PGPASSWORD=kong pg_dump --schema-only --no-owner -h 127.0.0.1 -p "$(cat "$dir/postgres/port")" -U kong "$1" | grep -v '^[\]'
}

# What `up` and `finish` have made is what a new 1.3 has.
compare_with_fresh() {
  PGPASSWORD=kong psql -qX -h 127.0.0.1 -p "$(cat "$dir/postgres/port")" -U kong -c 'CREATE DATABASE fresh' postgres
  sed 's/^pg_database.*/pg_database = fresh/' "$dir/kong.conf" >"$dir/fresh.conf"
  sandbox run "$dir" --conf "$dir/fresh.conf" bootstrap --yes --quiet
  schema kong >"$dir/kong.sql"
  schema fresh >"$dir/fresh.sql"
  grep -q ca_certificates "$dir/kong.sql"
  diff "$dir/fresh.sql" "$dir/kong.sql"
  echo 'The schema is the same as that of a new Kong 1.3.'
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

expect 0 backup "$dir/backups"
ls "$dir"/backups/kong-kong-*.dump >/dev/null

heading '1. Migrate up'
expect 0 up --yes
expect 4 status
expect 0 up --yes
sandbox stop-old "$dir" 1
sandbox start-old "$dir" 1
echo 'An old node has been stopped and started again.'

heading '2. Start new nodes'
sandbox new "$dir"
expect 0 nodes

heading '3. Divert traffic'
for percent in 5 25 50 100; do
  sandbox divert "$dir" $percent
  echo "$percent % of the traffic goes to the new nodes."
  sleep 1
  [ $percent != 25 ] || expect 0 nodes
done
expect 0 nodes

heading '4. Stop old nodes'
expect 7 finish --confirm kong
sandbox stop-old "$dir"
expect 0 nodes
echo "What the clients have got all the while:"
sandbox status "$dir" | grep '^clients'

heading '5. Finish'
expect 7 finish --confirm another
finish

heading 'After'
expect 0 status
compare_with_fresh
expect 0 report
