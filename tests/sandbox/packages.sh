# Debian's packages, in one place; read by tests/run.sh and tests/try.sh with `.`.
#
#   packages_need NAME…    installs what is missing of them: says which, and asks for root once. Returns 1 where that can't be done.
#
# Elsewhere than on Debian and its children nothing is installed: the names are said, and whoever builds goes on with what is there.

# To build the program.
packages_build='gcc libc6-dev meson ninja-build pkg-config libncurses-dev libpq-dev libinih-dev libuv1-dev libcurl4-openssl-dev libjansson-dev uuid-dev libpcre2-dev'

# To set up the sandbox: a server of its own, and nodes.
packages_sandbox='postgresql postgresql-client libmicrohttpd-dev haproxy python3 util-linux'

# To run the tests.
packages_tests='clang libcmocka-dev libvterm-dev openssh-client openssh-server valgrind'

packages_missing() {
  for each in "$@"; do
    case $(dpkg-query -W -f '${db:Status-Abbrev}' "$each" 2>/dev/null) in
    ?i*) ;;
    *) printf '%s ' "$each" ;;
    esac
  done
}

# The same names, and with clang its sanitizers, a package whose name carries clang's version (from Debian 12 on; before, they are
# part of another one).
packages_complete() {
  echo "$@"
  case " $* " in *' clang '*) ;; *) return 0 ;; esac
  runtime=$(apt-cache show --no-all-versions clang 2>/dev/null | sed -n 's/^Depends:.*\bclang-\([0-9][0-9]*\).*/libclang-rt-\1-dev/p' | head -n 1)
  if [ -n "$runtime" ] && apt-cache show "$runtime" >/dev/null 2>&1; then echo "$runtime"; fi
}

packages_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@" </dev/null
  elif ! command -v sudo >/dev/null; then
    echo "installing packages takes root, and there is no sudo; as root: apt-get install $missing" >&2
    return 1
  elif [ -t 0 ]; then
    sudo "$@"
  else
    sudo -n "$@" </dev/null
  fi
}

packages_need() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "This is no Debian; what these packages hold must be there: $*"
    return 0
  fi
  missing=$(packages_missing $(packages_complete "$@"))
  [ -n "$missing" ] || return 0
  echo "Missing packages, to be installed now: $missing"
  packages_root true || return 1
  packages_root apt-get -qq update || echo "the package lists could not be brought up to date: going on with those that are here" >&2
  missing=$(packages_missing $(packages_complete "$@"))
  packages_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 --no-install-recommends install $missing >/dev/null
}
