#!/bin/sh
# A private PostgreSQL server for tests and for trying things out: a data folder and a Unix socket in DIR, a free port on loopback,
# superuser `postgres`, and a role `kong` that may create databases; password authentication (md5: Kong 1.3 knows no SCRAM) on
# TCP for `kong`, whose password is `kong`. Whoever is root runs it as the user `postgres`, since PostgreSQL refuses root.
#
#   postgres.sh start DIR [PORT]   prints the port
#   postgres.sh stop DIR           stops it at once and removes DIR
#   postgres.sh crash DIR          pg_ctl stop -m immediate, then starts it again on the same port
#
# PG_BIN: the folder of another server's programs. PG_OPTIONS: further options for the server.
set -eu

usage() { echo "usage: postgres.sh start DIR [PORT] | stop DIR | crash DIR" >&2; exit 64; }
[ $# -ge 2 ] || usage
command=$1 dir=$2

bin=${PG_BIN:-}
if [ -z "$bin" ]; then
  for each in /usr/lib/postgresql/*/bin; do [ -x "$each/initdb" ] && bin=$each; done
fi
[ -n "$bin" ] || { echo "postgres.sh: no PostgreSQL server is installed (Debian: postgresql)" >&2; exit 1; }

psql=$bin/psql
[ -x "$psql" ] || psql=psql   # there are servers packed without it

as_server() {
  if [ "$(id -u)" = 0 ]; then (cd / && exec setpriv --reuid=postgres --regid=postgres --clear-groups env HOME=/ "$@"); else "$@"; fi
}

start() {
  as_server "$bin/pg_ctl" -s -w -t 60 -D "$dir/data" -l "$dir/log" \
    -o "-p $port -k $dir -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off -c password_encryption=md5 ${PG_OPTIONS:-}" start
}

case $command in
start)
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  [ "$(id -u)" = 0 ] && chown postgres: "$dir"
  as_server "$bin/initdb" -D "$dir/data" -U postgres -A trust --locale=C -E UTF8 -N >/dev/null
  as_server tee "$dir/data/pg_hba.conf" >/dev/null <<HBA
local all all trust
host all postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 md5
HBA
  tries=0
  while :; do
    port=${3:-$(awk -v seed="$$$tries" 'BEGIN { srand(seed + systime()); print int(20000 + rand() * 6000) }' 2>/dev/null || echo $((20000 + ($$ + tries) % 6000)))}
    start 2>/dev/null && break
    tries=$((tries + 1))
    [ $tries -lt 10 ] && [ -z "${3:-}" ] || { cat "$dir/log" >&2; exit 1; }
  done
  echo "$port" > "$dir/port"
  as_server "$psql" -qX -h "$dir" -p "$port" -U postgres -c "CREATE ROLE kong LOGIN CREATEDB PASSWORD 'kong'" postgres >/dev/null
  echo "$port"
  ;;
stop)
  [ -d "$dir/data" ] && as_server "$bin/pg_ctl" -s -D "$dir/data" -m immediate stop || :
  rm -rf "$dir"
  ;;
crash)
  port=$(cat "$dir/port")
  as_server "$bin/pg_ctl" -s -D "$dir/data" -m immediate stop
  start
  ;;
*) usage ;;
esac
