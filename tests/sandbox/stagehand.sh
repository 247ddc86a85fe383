#!/bin/sh
# Does in a sandbox what an operator does outside of kong-upgrade: once `up` is complete it starts the new nodes, diverts traffic to
# them bit by bit, and stops the old nodes one by one. Slowly, so that each step can be watched. Ends when the new nodes are alone.
#
#   stagehand.sh DIR [PACE]   PACE: seconds between two moves (default 5)
set -eu

dir=$1 pace=${2:-5}
sandbox() { "$(dirname "$0")/sandbox.sh" "$@"; }
note() { echo "$(date +%T) $*" >>"$dir/stagehand.log"; }

# Pending, nothing new, and nobody at work: then `up` has done all it had to do.
up_is_complete() {
  status=$(sandbox run "$dir" status --json 2>/dev/null | tr -d ' \n') || :
  case $status in
  *'"stage":"pending"'*) ;;
  *) return 1 ;;
  esac
  case $status in
  *'"new":["'*) return 1 ;;
  *'"worker":null'*) return 0 ;;
  *) return 1 ;;
  esac
}

until up_is_complete; do sleep 1; done
for n in 1 2 3; do
  sleep "$pace"
  note "starting new-$n"
  sandbox new "$dir" $n
done
for percent in 5 25 50 100; do
  sleep "$pace"
  note "diverting $percent % of the traffic"
  sandbox divert "$dir" $percent
done
# fleet.ini asks for 10 quiet seconds before an old node may go.
sleep $((10 + pace))
for n in 1 2 3; do
  sleep "$pace"
  note "stopping old-$n"
  sandbox stop-old "$dir" $n
done
