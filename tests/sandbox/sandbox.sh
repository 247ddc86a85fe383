#!/bin/sh
# A cluster to be thrown away, all on loopback: a private PostgreSQL with a Kong 1.2 database, three old nodes that serve it, three new
# ones that may be started, HAProxy before all of them with clients that send requests, a kong.conf, and a fleet.ini with hooks for all
# that. Everything lives in DIR.
#
#   sandbox.sh start DIR            sets it up; clients send 240 requests a second, for at most four hours
#   sandbox.sh run DIR [ARGS…]      kong-upgrade on it
#   sandbox.sh new DIR [N…]         starts the new nodes, or those of these numbers; refused before `up`, as Kong does
#   sandbox.sh divert DIR PERCENT   so much of the traffic goes to the new nodes, by HAProxy's weights
#   sandbox.sh fail DIR N [MS]      N % of what new nodes answer is an error 500, and most of it takes MS milliseconds (20)
#   sandbox.sh stop-new DIR [N…]    stops new nodes
#   sandbox.sh stop-old DIR [N…]    stops old nodes
#   sandbox.sh start-old DIR [N…]   starts them again
#   sandbox.sh status DIR           what runs
#   sandbox.sh stop DIR             ends everything and removes DIR
#
# For `start`: BUILD, the folder that was built in (default build/try of this source tree); DUMP, a script that makes another database than
# that of Kong 1.2, and OLD, the old nodes' release then (default 1.2.3).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
traffic=240 traffic_seconds=14400
PATH=$PATH:/usr/sbin   # where Debian has haproxy

usage() { sed -n 's/^#   //p' "$0" >&2; exit 64; }
fail() { echo "sandbox.sh: $*" >&2; exit 1; }

[ $# -ge 2 ] || usage
command=$1 dir=$2
shift 2
[ "$command" = start ] || [ -f "$dir/build" ] || fail "$dir holds no sandbox"

# Nobody's settings but the sandbox's: neither Kong's nor libpq's.
for name in $(env | sed -n 's/^\(KONG_[A-Z0-9_]*\|PG[A-Z]*\)=.*/\1/p'); do unset "$name"; done

kong_upgrade() {
  XDG_CONFIG_HOME=$dir/config XDG_STATE_HOME=$dir/state "$(cat "$dir/build")/kong-upgrade" --conf "$dir/kong.conf" --fleet "$dir/fleet.ini" "$@"
}

sql() { PGPASSWORD=kong psql -qX -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U kong "$@"; }

# Thirteen that are free, below the ports that outgoing connections get and above those of postgres.sh: a block of one's own, in which
# HAProxy's keeps other sandboxes out, so that a new node's is still free when it starts.
free_ports() {
  python3 - <<'PYTHON'
import random, socket

def bind(port):
    probe = socket.socket()
    probe.bind(("127.0.0.1", port))
    return probe

while True:
    first = random.randrange(26000, 32000, 20)
    try:
        probes = [bind(port) for port in range(first, first + 13)]
        break
    except OSError:
        continue
print(*range(first, first + 13))
PYTHON
}

# A process that has ended, but whose end nobody has asked for, is not alive.
alive() { grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status" 2>/dev/null; }

node_runs() { [ -f "$dir/nodes/$1.pid" ] && alive "$(cat "$dir/nodes/$1.pid")"; }

# start_node NAME VERSION: returns when it serves.
start_node() {
  node=$dir/nodes/$1
  if node_runs "$1"; then return 0; fi
  : >"$node.log"
  KONG_PG_PASSWORD=kong setsid "$(cat "$dir/build")/tests/fake-node" --version "$2" --admin "$(cat "$node.port")" \
    --proxy "$(cat "$node.proxy")" --prometheus --traffic "$node.answers" \
    --pg-host 127.0.0.1 --pg-port "$(cat "$dir/postgres/port")" --pg-database kong --pg-user kong >>"$node.log" 2>&1 </dev/null &
  echo $! >"$node.pid"
  waited=0
  until grep -q '^ready' "$node.log"; do
    if ! node_runs "$1" || [ $waited -ge 150 ]; then
      stop_node "$1"
      echo "sandbox.sh: $1 did not start: $(tail -n 1 "$node.log")" >&2
      return 1
    fi
    waited=$((waited + 1))
    sleep 0.1
  done
}

# stop_process PIDFILE: returns when it has ended.
stop_process() {
  if [ -f "$1" ] && alive "$(cat "$1")"; then
    pid=$(cat "$1")
    kill "$pid" 2>/dev/null || :
    waited=0
    while alive "$pid" && [ $waited -lt 50 ]; do
      waited=$((waited + 1))
      sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || :
  fi
  rm -f "$1"
}

stop_node() { stop_process "$dir/nodes/$1.pid"; }

divert() { "$here/haproxy-divert.sh" "$dir/haproxy.sock" "$1"; }

# How new nodes answer from now on; requests themselves come from the clients. A node reads the file at any moment: so it is never
# seen half written.
answer() {
  for name in new-1 new-2 new-3; do
    echo "0 $1 $2" >"$dir/nodes/$name.answers.new"
    mv "$dir/nodes/$name.answers.new" "$dir/nodes/$name.answers"
  done
}

# Checks are connections, not requests: a node would count those, and never be quiet.
haproxy_conf() {
  cat <<CONF
global
  stats socket $dir/haproxy.sock mode 600 level admin
  nbthread 1
  maxconn 500
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 10s
  retries 3
  option redispatch
  retry-on conn-failure empty-response
frontend clients
  bind 127.0.0.1:$(cat "$dir/haproxy.port")
  default_backend kong
backend kong
  balance roundrobin
  default-server check inter 500ms rise 1 fall 2
CONF
  for name in old-1 old-2 old-3; do echo "  server $name 127.0.0.1:$(cat "$dir/nodes/$name.proxy") weight 200"; done
  for name in new-1 new-2 new-3; do echo "  server $name 127.0.0.1:$(cat "$dir/nodes/$name.proxy") weight 0"; done
}

start_traffic() {
  haproxy_conf >"$dir/haproxy.cfg"
  setsid haproxy -db -f "$dir/haproxy.cfg" >"$dir/haproxy.log" 2>&1 </dev/null &
  echo $! >"$dir/haproxy.pid"
  waited=0
  until divert 0 >/dev/null 2>&1; do
    if ! alive "$(cat "$dir/haproxy.pid")" || [ $waited -ge 100 ]; then fail "HAProxy did not start: $(tail -n 3 "$dir/haproxy.log")"; fi
    waited=$((waited + 1))
    sleep 0.1
  done
  setsid "$(cat "$dir/build")/tests/load" --port "$(cat "$dir/haproxy.port")" --rate $traffic --seconds $traffic_seconds \
    --summary "$dir/load" >"$dir/load.log" 2>&1 </dev/null &
  echo $! >"$dir/load.pid"
}

# What an operator would have: a command for each hook.
write_hooks() {
  mkdir -p "$dir/hooks"
  printf '#!/bin/sh\nexec "%s/sandbox.sh" new "%s"\n' "$here" "$dir" >"$dir/hooks/provision"
  printf '#!/bin/sh\nexec "%s/haproxy-divert.sh" "%s/haproxy.sock" "$1"\n' "$here" "$dir" >"$dir/hooks/divert"
  printf '#!/bin/sh\nexec "%s/sandbox.sh" stop-old "%s" "${1#old-}"\n' "$here" "$dir" >"$dir/hooks/decommission"
  chmod 755 "$dir/hooks"/*
}

set_up() {
  build=$(cd "${BUILD:-$here/../../build/try}" && pwd)
  for program in kong-upgrade tests/fake-node tests/load; do [ -x "$build/$program" ] || fail "$build/$program is not built"; done
  command -v haproxy >/dev/null || fail "haproxy is not installed"
  [ ${#dir} -le 80 ] || fail "$dir is too long for a socket's name"
  mkdir -p "$dir/nodes" "$dir/config" "$dir/state"
  chmod 711 "$dir"   # the server may run as another user
  echo "$build" >"$dir/build"
  port=$("$here/postgres.sh" start "$dir/postgres")
  cat >"$dir/kong.conf" <<CONF
database = postgres
pg_host = 127.0.0.1
pg_port = $port
pg_database = kong
pg_user = kong
pg_password = kong
CONF
  chmod 600 "$dir/kong.conf"
  # shellcheck disable=SC2046 # one word a port
  set -- $(free_ports)
  {
    printf '[datastore]\nkong_conf = %s\n' "$dir/kong.conf"
    printf '[old]\nnode = old-1 http://127.0.0.1:%s\nnode = old-2 http://127.0.0.1:%s\nnode = old-3 http://127.0.0.1:%s\n' "$1" "$2" "$3"
    printf '[new]\nnode = new-1 http://127.0.0.1:%s\nnode = new-2 http://127.0.0.1:%s\nnode = new-3 http://127.0.0.1:%s\n' "$4" "$5" "$6"
    printf '[gates]\nquiet = 10\n'
    printf '[hooks]\nprovision = "%s/hooks/provision"\ndivert = "%s/hooks/divert" {percent}\n' "$dir" "$dir"
    printf 'decommission = "%s/hooks/decommission" {node}\nwait = 10\n' "$dir"
  } >"$dir/fleet.ini"
  write_hooks
  for name in old-1 old-2 old-3 new-1 new-2 new-3; do
    echo "$1" >"$dir/nodes/$name.port"
    echo "$7" >"$dir/nodes/$name.proxy"
    shift
  done
  echo "$7" >"$dir/haproxy.port"
  sql -c 'CREATE DATABASE kong' postgres
  if [ -n "${DUMP:-}" ]; then
    sql -f "$DUMP" kong >/dev/null
  else
    kong_upgrade bootstrap --to 1.2 --yes --quiet
    sql -f "$here/entities.sql" kong
  fi
  sql -c 'SET client_min_messages = error' -c ANALYZE kong   # a session of its own: its rows are counted when the one before has ended
  rm -rf "$dir/state/kong-upgrade"   # the report is to tell of the upgrade alone
  echo "${OLD:-1.2.3}" >"$dir/old"
  for n in 1 2 3; do start_node old-$n "$(cat "$dir/old")"; done
  start_traffic
}

tear_down() {
  # A worker that outlives its database would look for it for minutes.
  worker=$(kong_upgrade status --json 2>/dev/null | tr -d '\n' | sed -n 's/.*"worker": *{[^}]*"pid": *\([0-9]*\).*/\1/p') || :
  if [ -n "$worker" ]; then
    kong_upgrade stop --quiet 2>/dev/null || :
    waited=0
    while alive "$worker" && [ $waited -lt 50 ]; do
      waited=$((waited + 1))
      sleep 0.1
    done
    kill -9 "$worker" 2>/dev/null || :
  fi
  stop_process "$dir/load.pid"
  stop_process "$dir/haproxy.pid"
  for file in "$dir"/nodes/*.pid; do [ ! -f "$file" ] || kill "$(cat "$file")" 2>/dev/null || :; done
  for n in 1 2 3; do
    stop_node new-$n
    stop_node old-$n
  done
  "$here/postgres.sh" stop "$dir/postgres" 2>/dev/null || :
  rm -rf "$dir"
}

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
case $command in
run) kong_upgrade "$@" ;;
start)
  [ ! -e "$dir/build" ] || fail "$dir holds a sandbox already"
  trap tear_down EXIT
  set_up
  trap - EXIT
  ;;
new)
  [ $# -gt 0 ] || set -- 1 2 3
  for n in "$@"; do start_node "new-$n" 1.3.0; done
  ;;
divert)
  case ${1:-} in '' | *[!0-9]* | ????*) usage ;; esac
  [ "$1" -le 100 ] || usage
  divert "$1"
  ;;
fail)
  for number in "${1:-}" "${2:-20}"; do case $number in '' | *[!0-9]* | ??????*) usage ;; esac; done
  answer "$1" "${2:-20}"
  ;;
stop-new)
  [ $# -gt 0 ] || set -- 1 2 3
  for n in "$@"; do stop_node "new-$n"; done
  ;;
stop-old)
  [ $# -gt 0 ] || set -- 1 2 3
  for n in "$@"; do stop_node "old-$n"; done
  ;;
start-old)
  [ $# -gt 0 ] || set -- 1 2 3
  for n in "$@"; do start_node "old-$n" "$(cat "$dir/old")"; done
  ;;
status)
  for name in old-1 old-2 old-3 new-1 new-2 new-3; do
    if node_runs $name; then state=runs; else state="does not run"; fi
    echo "$name  http://127.0.0.1:$(cat "$dir/nodes/$name.port")  $state"
  done
  echo "clients: $(tr '\n' ' ' <"$dir/load" 2>/dev/null || :)"
  ;;
stop) tear_down ;;
*) usage ;;
esac
