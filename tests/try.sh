#!/bin/sh
# Builds kong-upgrade and opens it on a throwaway cluster: PostgreSQL, a Kong 1.2 database, three old nodes and three new ones behind
# HAProxy, with clients that send requests, all in a temporary folder and on loopback. At the end everything is removed.
#
#   sh tests/try.sh             the wizard; nodes and traffic move by themselves once `up` is complete
#   sh tests/try.sh --by-hand   the wizard; you move them, by the hooks of fleet.ini or in another terminal
#   sh tests/try.sh --plain     the whole upgrade through the plain commands, as it is done without a terminal too
#
# --built FOLDER: what was built there is used; nothing is installed, nothing built.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
plain='' by_hand='' built=''
while [ $# -gt 0 ]; do
  case $1 in
  --plain) plain=yes ;;
  --by-hand) by_hand=yes ;;
  --built)
    [ $# -ge 2 ] || { echo "try.sh: --built takes a folder" >&2; exit 64; }
    built=$2
    shift
    ;;
  *)
    sed -n 's/^#   //p' "$0" >&2
    exit 64
    ;;
  esac
  shift
done
if [ ! -t 0 ] || [ ! -t 1 ]; then plain=yes; fi

build() {
  . "$root/tests/sandbox/packages.sh"
  # shellcheck disable=SC2086 # lists of words
  packages_need $packages_build $packages_sandbox
  built=$root/build/try
  mkdir -p "$root/build"
  if [ ! -f "$built/build.ninja" ]; then
    rm -rf "$built"
    meson setup -Dbuildtype=debugoptimized "$built" "$root" >"$built.log" 2>&1 || { cat "$built.log"; exit 1; }
  fi
  echo "Building kong-upgrade"
  ninja -C "$built" kong-upgrade tests/fake-node tests/load >"$built.log" 2>&1 || { cat "$built.log"; exit 1; }
}

dir='' stagehand=''
# Also after Ctrl-C and a lost terminal, where nothing can be said any more.
remove() {
  trap '' INT HUP TERM
  set +e
  [ -z "$stagehand" ] || kill -- "-$stagehand" 2>/dev/null
  [ -z "$dir" ] || [ ! -f "$dir/build" ] || "$root/tests/sandbox/sandbox.sh" stop "$dir" >/dev/null 2>&1
  [ -z "$dir" ] || rm -rf "$dir"
}

[ -n "$built" ] || build
trap remove EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
dir=$(mktemp -d "${TMPDIR:-/tmp}/kong-upgrade.XXXXXX")
echo "Setting up a cluster in $dir"
BUILD=$built "$root/tests/sandbox/sandbox.sh" start "$dir"

if [ -n "$plain" ]; then
  "$root/tests/sandbox/walk.sh" "$dir"
  exit
fi

sandbox="sh $root/tests/sandbox/sandbox.sh"
cat <<TEXT

A Kong 1.2 cluster of three nodes is running: take it to 1.3.
TEXT
if [ -z "$by_hand" ]; then
  cat <<TEXT
Once \`up\` is complete, the rest of the cluster moves by itself, a few seconds
apart, as an operator would move it: new nodes are started, traffic is
diverted, old nodes are stopped. To move it yourself: sh tests/try.sh --by-hand
TEXT
else
  cat <<TEXT
Everything beside the database is moved by you. fleet.ini has hooks for it, which
the wizard runs: p on step 2 starts the new nodes, d on step 3 diverts traffic by
HAProxy's weights, d on step 4 stops the selected old node, h shows what a hook
says. The same by hand, in another terminal:

  $sandbox new $dir             start the new nodes, after \`up\`
  $sandbox divert $dir 25       divert 25 % of the traffic to them; in the end 100
  $sandbox stop-old $dir        stop the old nodes
  $sandbox status $dir          what runs, and what the clients have got
TEXT
fi
echo
printf 'Enter opens the wizard, q leaves it; then everything is removed. '
read -r _ || exit 1
if [ -z "$by_hand" ]; then
  setsid "$root/tests/sandbox/stagehand.sh" "$dir" </dev/null >/dev/null 2>&1 &
  stagehand=$!
fi
code=0
"$root/tests/sandbox/sandbox.sh" run "$dir" || code=$?
echo 'Removing the cluster' || :
exit $code
