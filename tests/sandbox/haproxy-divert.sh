#!/bin/sh
# A divert hook: sets the weights of HAProxy's servers through its runtime API, so that the new cluster gets PERCENT of the requests.
#
#   haproxy-divert.sh SOCKET PERCENT
#
# SOCKET: HAProxy's stats socket, of level admin. The servers are those of the backend `kong`; the names of old nodes begin with old-,
# of new ones with new-. Both clusters are taken to be of the same size. Weights count for every request that begins from then on:
# none is lost, whatever is under way ends where it began.
set -eu

usage() { echo "usage: haproxy-divert.sh SOCKET PERCENT (0 to 100)" >&2; exit 64; }
[ $# = 2 ] || usage
case $2 in '' | *[!0-9]* | ????*) usage ;; esac
[ "$2" -le 100 ] || usage

exec python3 - "$1" "$2" <<'PYTHON'
import socket, sys

path, percent = sys.argv[1], int(sys.argv[2])


def ask(command):
    with socket.socket(socket.AF_UNIX) as api:
        api.settimeout(10)
        api.connect(path)
        api.sendall(command.encode() + b"\n")
        answer = b""
        while part := api.recv(65536):
            answer += part
    return answer.decode().strip()


try:
    rows = [line.split() for line in ask("show servers state kong").splitlines() if line and line[0].isdigit() and len(line.split()) > 4]
    weights = {}
    for row in rows:
        for prefix, share in (("new-", percent), ("old-", 100 - percent)):
            if row[3].startswith(prefix):
                weights[row[3]] = 2 * share  # of at most 256
    if not weights:
        sys.exit("HAProxy has no server old-… or new-… in its backend kong")
    # Those that get more come first: there is a server with a weight at every moment.
    for server, weight in sorted(weights.items(), key=lambda each: -each[1]):
        problem = ask(f"set server kong/{server} weight {weight}")
        if problem:
            sys.exit(f"HAProxy refuses the weight of {server}: {problem}")
        print(f"{server}: weight {weight}")
except OSError as error:
    sys.exit(f"HAProxy does not answer on {path}: {error}")
print(f"{percent} % of new requests go to the new cluster")
PYTHON
