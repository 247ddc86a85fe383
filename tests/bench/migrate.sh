#!/bin/sh
# What an upgrade to 1.3 costs the old cluster: Kong's own way (kong_up.sql, kong_finish.sql) against kong-upgrade's, on the same data, the
# same server, under the same load (clients.c). Prints a Markdown table.
#
#   sh tests/bench/migrate.sh                1 million consumers, key-auth credentials and acls, 200,000 tokens and counters, 10,000
#                                            services, routes and plugins; some 15 minutes, 6 GB of disk
#   sh tests/bench/migrate.sh --scale N      an Nth of that
#   sh tests/bench/migrate.sh --only FROM    from 0.14 or from 1.0 only
#   sh tests/bench/migrate.sh --way WAY      kong or ours only
#   sh tests/bench/migrate.sh --check        also: fails where the two ways end in different catalogs, or a number is missing
#   sh tests/bench/migrate.sh --keep DIR     puts journals, logs and what was slow into DIR
#
# --built FOLDER: what was built there is used. The server is a private one, with fsync and everything else as PostgreSQL comes, but for
# 1 GB of shared buffers and 4 GB of WAL between checkpoints; only filling it goes unsynced. 0.14.1's schema is a dump that real Kong
# left, looked for in REFERENCE (see tests/meson.build); where it is not there, only 1.0 is measured.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/tests/bench
reference=${REFERENCE:-$root/../shared/kong/reference}
scale=1 only='' ways='kong ours' check='' built='' keep=''
while [ $# -gt 0 ]; do
  case $1 in
  --check) check=yes ;;
  --scale | --only | --way | --built | --keep)
    [ $# -ge 2 ] || { echo "migrate.sh: $1 takes a value" >&2; exit 64; }
    case $1 in --scale) scale=$2 ;; --only) only=$2 ;; --way) ways=$2 ;; --built) built=$2 ;; --keep) keep=$2 ;; esac
    shift
    ;;
  *) sed -n 's/^#   //p' "$0" >&2; exit 64 ;;
  esac
  shift
done

for name in $(env | sed -n 's/^\(KONG_[A-Z0-9_]*\|PG[A-Z]*\)=.*/\1/p'); do unset "$name"; done
export LC_ALL=C

if [ -z "$built" ]; then
  built=$root/build/bench
  [ -f "$built/build.ninja" ] || meson setup --buildtype=release "$built" "$root" >&2
  ninja -C "$built" -j 2 kong-upgrade tests/bench-clients >&2
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/kong-bench.XXXXXX")
chmod 711 "$dir"
clients=''
cleanup() {
  [ -z "$clients" ] || kill "$clients" 2>/dev/null || :
  if [ -n "$keep" ]; then
    mkdir -p "$keep"
    cp -r "$dir/state" "$dir"/*.log "$dir"/*.slow "$keep" 2>/dev/null || :
    cp "$dir/postgres/log" "$keep/postgres.log" 2>/dev/null || :
  fi
  sh "$root/tests/sandbox/postgres.sh" stop "$dir/postgres" >/dev/null 2>&1 || :
  rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

settings='-c fsync=on -c full_page_writes=on -c shared_buffers=1GB -c max_wal_size=4GB -c max_connections=500 -c log_checkpoints=on'
port=$(PG_OPTIONS=$settings sh "$root/tests/sandbox/postgres.sh" start "$dir/postgres")

sql() { psql -qXAt -v ON_ERROR_STOP=1 -h "$dir/postgres" -p "$port" -U kong "$@"; }

as_superuser() { psql -qX -v ON_ERROR_STOP=1 -h "$dir/postgres" -p "$port" -U postgres "$@" postgres; }

# Autovacuum may be at work in it.
drop() { as_superuser -c "DROP DATABASE $1 WITH (FORCE)"; }

kong_upgrade() {
  database=$1
  shift
  printf 'database = postgres\npg_host = 127.0.0.1\npg_port = %s\npg_database = %s\npg_user = kong\npg_password = kong\n' \
    "$port" "$database" >"$dir/kong.conf"
  XDG_CONFIG_HOME=$dir/config XDG_STATE_HOME=$dir/state "$built/kong-upgrade" --conf "$dir/kong.conf" "$@"
}

# What only large data need is left out with little.
pause() { sleep "$([ "$scale" -gt 100 ] && echo 0.2 || echo "$1")"; }

now_ms() { echo $(($(date +%s%N) / 1000000)); }

from_014() { if [ "$1" = 0.14 ]; then echo 1; else echo 0; fi; }

# fill FROM: the database that both ways get a copy of.
fill() {
  sql -c 'CREATE DATABASE filled' postgres
  if [ "$1" = 0.14 ]; then sql -f "$reference/kong-0.14.1-data.sql" filled >/dev/null; else kong_upgrade filled bootstrap --to 1.0 >/dev/null; fi
  counts=$(sql -v from_014="$(from_014 "$1")" -v scale="$scale" -f "$here/fill.sql" filled)
}

# start_clients NAME FROM
start_clients() {
  # shellcheck disable=SC2046 # three numbers
  BENCH_VERBOSE=1 "$built/tests/bench-clients" "host=$dir/postgres port=$port user=kong dbname=$1 application_name=pgmoon" "$2" \
    $(echo "$counts" | tr '|' ' ') >"$dir/$1.figures" 2>"$dir/$1.slow" &
  clients=$!
  pause 1
  kill -0 "$clients" 2>/dev/null || { cat "$dir/$1.slow" >&2; exit 1; }
}

stop_clients() {
  kill "$clients"
  wait "$clients"
  clients=''
}

fresh_copy() {
  sql -c "CREATE DATABASE $1 TEMPLATE filled" postgres
  as_superuser -c CHECKPOINT
}

# A migration that ends in a deadlock is rolled back; the rest is then run again from there on, as its operator would.
kongs_way() {
  awk '/^-- ---/ { if (part) print "\\echo done " part; part++ } { print } END { print "\\echo done " part }' "$here/kong_$3.sql" >"$dir/way.sql"
  done=0 tries=0
  until awk -v done=$done '/^-- ---/ { part++ } !part || part > done' "$dir/way.sql" | sql -v from_014="$2" -f - "$1" >"$dir/way.out"; do
    done=$(sed -n 's/^done //p' "$dir/way.out" | tail -n 1)
    done=${done:-0} tries=$((tries + 1))
    [ $tries -lt 10 ] || return 1
    echo "From $([ "$2" = 1 ] && echo 0.14 || echo 1.0): Kong's own $3 failed once, and was run again." >>"$dir/ratios"
  done
}

step() {
  case $1 in
  kong) kongs_way "$2" "$(from_014 "$3")" "$4" ;;
  ours) if [ "$4" = up ]; then kong_upgrade "$2" -y up; else kong_upgrade "$2" finish --confirm "$2"; fi ;;
  esac >>"$dir/$2.log" 2>&1 || { tail -n 20 "$dir/$2.log" >&2; exit 1; }
}

# row FROM WAY STEP MS FIGURES…
row() {
  printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$1" "$2" "$3" \
    "$(awk -v ms="$4" 'BEGIN { printf "%.1f", ms / 1000 }')" "$6" "$7" "$8" "$9" "${10}" "${11}" "$5" | tee -a "$dir/rows"
}

# measure FROM WAY: leaves the sums in NAME.sum: total time, worst stall.
measure() {
  name=bench_$2
  fresh_copy "$name"
  start_clients "$name" "$1"
  begun=$(now_ms)
  step "$2" "$name" "$1" up
  upped=$(now_ms)
  kill -USR1 "$clients"
  step "$2" "$name" "$1" finish
  ended=$(now_ms)
  pause 1
  stop_clients
  case $2 in kong) title="Kong's" ;; *) title='kong-upgrade' ;; esac
  # shellcheck disable=SC2046 # figures
  row "$1" "$title" up $((upped - begun)) $(sed -n 1p "$dir/$name.figures")
  # shellcheck disable=SC2046
  row "$1" "$title" finish $((ended - upped)) $(sed -n 2p "$dir/$name.figures")
  awk -v ms=$((ended - begun)) '$2 > worst { worst = $2 } END { print ms, worst }' "$dir/$name.figures" >"$dir/$name.sum"
  sql -f "$here/catalog.sql" "$name" >"$dir/$name.catalog"
  drop "$name"
}

# The load alone: what the machine itself makes clients wait.
measure_idle() {
  fresh_copy bench_idle
  start_clients bench_idle "$1"
  begun=$(now_ms)
  pause 20
  ended=$(now_ms)
  stop_clients
  # shellcheck disable=SC2046
  row "$1" none - $((ended - begun)) $(sed -n 1p "$dir/bench_idle.figures")
  drop bench_idle
}

compare() {
  [ "$ways" = 'kong ours' ] || return 0
  awk -v from="$1" 'NR == 1 { kong_ms = $1; kong_worst = $2 } NR == 2 {
    printf "From %s: worst stall %.1f times shorter, total time %.2f of Kong'"'"'s own.\n", from, kong_worst / $2, $1 / kong_ms
  }' "$dir/bench_kong.sum" "$dir/bench_ours.sum" >>"$dir/ratios"
  if [ -n "$check" ] && ! diff "$dir/bench_kong.catalog" "$dir/bench_ours.catalog" >"$dir/difference"; then
    { echo "migrate.sh: from $1 the two ways end in different catalogs (< Kong's, > ours):"; cat "$dir/difference"; } >&2
    exit 1
  fi
}

echo "| from | way | step | s | worst ms | 99 % | 99.9 % | > 100 ms | given up | errors | requests |"
echo "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
for from in 0.14 1.0; do
  [ -z "$only" ] || [ "$only" = $from ] || continue
  if [ $from = 0.14 ] && [ ! -f "$reference/kong-0.14.1-data.sql" ]; then
    echo "migrate.sh: $reference/kong-0.14.1-data.sql is not there: from 0.14 is left out" >&2
    continue
  fi
  fill $from
  measure_idle $from
  for way in $ways; do measure $from "$way"; done
  compare $from
  drop filled
done
if [ -n "$check" ] && grep -vE '^(\| [^|]+ ){3}(\| [0-9]+(\.[0-9])? ){8}\|$' "$dir/rows" >&2; then
  echo "migrate.sh: a number is missing" >&2
  exit 1
fi
[ ! -f "$dir/ratios" ] || { echo; cat "$dir/ratios"; }
