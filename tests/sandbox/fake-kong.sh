#!/bin/sh
# A stand-in for the `kong` command of Kong 1.3, which behaves as that does: its lock, its order, its exit codes (0 also where it does
# nothing), schema_meta. It knows a custom plugin, my-plugin, with two migrations; Kong's own it makes from 1.2 on, as the plan of
# kong-upgrade says, and an empty database it fills from another.
#
# Settings beside it, in FILE.settings: VERSION; MODE (what goes wrong, see below); LOCK, the seconds for which it takes its lock; UPGRADE, the kong-upgrade; TEMPLATE, a database of
# Kong 1.3 to copy; PSQL_BIN, the folder of psql and pg_dump. What it was given is then in FILE.arguments, FILE.environment, FILE.conf.
set -eu
VERSION=1.3.0 MODE=well LOCK=60 UPGRADE=kong-upgrade TEMPLATE= PSQL_BIN=
[ ! -f "$0.settings" ] || . "$0.settings"
[ -z "$PSQL_BIN" ] || PATH=$PSQL_BIN:$PATH

if [ "$1" = version ]; then
  case $MODE in
    mute) sleep 60 ;;
    flood) exec yes 1.3.0 ;;
    *) printf '%s\n' "$VERSION" ;;
  esac
  exit 0
fi

echo "$*" >"$0.arguments"
env >"$0.environment"
command=$1; shift
case ${1:-} in -*|'') ;; *) command="$command $1"; shift ;; esac
while [ $# -gt 1 ]; do [ "$1" != -c ] || conf=$2; shift; done
umask 077; cp "$conf" "$0.conf"

get() { sed -n "s/^$1 = \(.*\)/\1/p" "$conf" | tail -1 | sed 's/ #$//'; }
export PGHOST=$(get pg_host) PGPORT=$(get pg_port) PGUSER=$(get pg_user) PGPASSWORD=$(get pg_password) PGDATABASE=$(get pg_database)
sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }
has() { [ "$(sql -c "SELECT EXISTS ($1)")" = t ]; }
plan() { : >"$0.fleet"; "$UPGRADE" -c "$conf" -f "$0.fleet" plan --sql "$@"; }
meta() { sql -c "INSERT INTO schema_meta (key, subsystem, $2) VALUES ('schema_meta', '$1', ARRAY['$3']) ON CONFLICT (key, subsystem) DO UPDATE SET $2 = coalesce(schema_meta.$2, '{}') || excluded.$2"; }
executed() { meta "$1" executed "$2"; sql -c "UPDATE schema_meta SET last_executed = '$2', pending = array_remove(pending, '$2') WHERE key = 'schema_meta' AND subsystem = '$1'"; }
done_() { has "SELECT 1 FROM schema_meta WHERE key = 'schema_meta' AND subsystem = '$1' AND '$2' = ANY (coalesce(executed, '{}') || coalesce(pending, '{}'))"; }

case $MODE in
  hang) echo "migrating core on database '$PGDATABASE'..."; trap '' TERM; while :; do sleep 1; done ;;
  wait) echo "waiting"; while [ ! -e "$0.go" ]; do sleep 0.1; done ;;
  lie) echo "Database is up-to-date"; exit 0 ;;
  hostile)
    printf '\033[2J\033]0;owned\007 password is %s\n' "$PGPASSWORD"
    printf '\377\376 no UTF-8 \302\205 next\r\n'
    head -c 20000 /dev/zero | tr '\0' x; echo
    sleep 0.3
    i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i + 1)); done ;;
esac

if [ "$command" = start ]; then
  [ "$MODE" != crash ] || { echo "Error: could not prepare Kong prefix" >&2; exit 1; }
  echo "Kong started"
  exit 0
fi

if [ "$command" = "migrations bootstrap" ]; then
  if has "SELECT 1 WHERE to_regclass('schema_meta') IS NOT NULL"; then echo "Database already bootstrapped"; exit 0; fi
  echo "bootstrapping database..."
  pg_dump -O -x -d "$TEMPLATE" | grep -v '^CREATE SCHEMA\|^SELECT pg_catalog.set_config\|^\\\(un\)\{0,1\}restrict' | sql -f - >/dev/null
  echo "database is up-to-date"
  exit 0
fi

sql -c "DELETE FROM locks WHERE ttl < now()"
owner=$(cat /proc/sys/kernel/random/uuid)
if [ -z "$(sql -c "INSERT INTO locks (key, owner, ttl) VALUES ('migrations', '$owner', now() + interval '$LOCK s') ON CONFLICT DO NOTHING RETURNING 1")" ]; then
  echo "aborted: another node is performing database changes"
  exit 0
fi
trap 'sql -c "DELETE FROM locks WHERE owner = '"'$owner'"'"' EXIT

if [ "$MODE" = slow ]; then while [ ! -e "$0.go" ]; do sleep 0.1; done; fi

case $command in
  "migrations up")
    if has "SELECT 1 FROM schema_meta WHERE key = 'schema_meta' AND cardinality(pending) > 0"; then
      echo "Error: Database has pending migrations; run 'kong migrations finish'" >&2
      exit 1
    fi
    if ! done_ core 005_120_to_130; then
      echo "migrating core on database '$PGDATABASE'..."
      plan >"$0.sql"
      [ "$MODE" != crash ] || { head -8 "$0.sql" | sql -f -; kill -9 $$; }
      sql -f "$0.sql"
      meta core pending 005_120_to_130
      executed session 000_base_session
    fi
    if ! done_ my-plugin 000_base; then
      echo "migrating my-plugin on database '$PGDATABASE'..."
      [ "$MODE" != crash ] || kill -9 $$
      [ "$MODE" != broken ] || { echo "Error: my-plugin: column \"x\" does not exist" >&2; exit 1; }
      sql -c "CREATE TABLE IF NOT EXISTS my_plugin (id integer)"
      executed my-plugin 000_base
      echo "my-plugin migrated up to: 000_base (executed)"
      meta my-plugin pending 001_next
      echo "my-plugin migrated up to: 001_next (pending)"
    fi ;;
  "migrations finish")
    if ! done_ core 005_120_to_130; then echo "New migrations available; run 'kong migrations up' to proceed"; exit 0; fi
    if has "SELECT 1 FROM schema_meta WHERE key = 'schema_meta' AND subsystem = 'core' AND '005_120_to_130' = ANY (pending)"; then
      plan --finish >"$0.sql"
      sql -f "$0.sql"
      executed core 005_120_to_130
    fi
    if has "SELECT 1 FROM schema_meta WHERE key = 'schema_meta' AND subsystem = 'my-plugin' AND '001_next' = ANY (pending)"; then
      echo "migrating my-plugin on database '$PGDATABASE'..."
      executed my-plugin 001_next
    fi ;;
  *) echo "Error: unknown command" >&2; exit 1 ;;
esac
echo "Database is up-to-date"
