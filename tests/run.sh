#!/bin/sh
# Builds the program three ways, runs all tests, and closes with one line: "N passed, N failed".
#
#   sh tests/run.sh [SUITE…]           with suites (unit, tui, …): those alone, in build/san
#   sh tests/run.sh --postgres 10,18   all of it, and the essential tests of the migrations on these PostgreSQL servers too
#   sh tests/run.sh --all-postgres     the tests of the migrations alone, on Debian's server and on PostgreSQL 10 to 18
#
# Debian packages that are missing are installed first (root, else sudo). Exit code 0 only if something passed and nothing failed.
# What was built is kept under build/, so that the next run compiles what has changed:
#
#   build/san     gcc, AddressSanitizer and UndefinedBehaviorSanitizer: all tests but one, six at a time
#   build/clang   clang, the same sanitizers, not optimized: the tests that need no server
#   build/gcc     gcc, as it is installed: the same, under valgrind; and the one that kills some hundreds of workers
set -eu
cd "$(dirname "$0")/.."
. tests/sandbox/packages.sh
. tests/sandbox/servers.sh

usage() { sed -n 's/^#   sh/  sh/p' "$0" >&2; exit 64; }

servers='' everywhere=''
case ${1:-} in
--postgres)
  [ $# = 2 ] || usage
  servers=$(echo "$2" | tr , ' ')
  shift 2
  ;;
--all-postgres)
  [ $# = 1 ] || usage
  servers=$servers_all everywhere=yes
  shift
  ;;
esac
for suite in "$@"; do
  case $suite in -*) usage ;; esac
done

export LC_ALL=C.UTF-8 CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
# Undefined behaviour ends the program, also the worker, which gets no environment but what it needs.
sanitized='-Db_sanitize=address,undefined -Db_lundef=false -Dc_args=-fno-sanitize-recover=all'
valgrind='valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite,indirect,possible'
folders=

# build NAME COMPILER JOBS OPTIONS: everything, the tests too; a warning is an error. A build that fails leaves no log of tests, and counts.
build() {
  folder=build/$1 compiler=$2 jobs=$3
  shift 3
  echo "== $folder"
  rm -f "$folder"/meson-logs/testlog*
  if [ -f "$folder/build.ninja" ]; then set -- --reconfigure "$@"; else rm -rf "$folder"; fi
  if CC=$compiler meson setup -Dwerror=true "$@" "$folder" >"$folder.log" 2>&1 &&
    ninja -C "$folder" -j "$jobs" all meson-test-prereq >>"$folder.log" 2>&1
  then return 0; fi
  tail -n 60 "$folder.log"
  return 1
}

# What fails is shown and counted in the end.
run() {
  folder=build/$1
  shift
  meson test -C "$folder" --no-rebuild --num-processes 2 "$@" || :
}

suites() {
  for suite in "$@"; do printf ' --suite %s' "$suite"; done
}

# On another server, as the program is installed; its log is counted beside that of build/gcc. What can't be had is said, and passed over.
run_on() {
  version=$1
  shift
  bin=$(servers_bin "$version") || return 0
  echo "== PostgreSQL $version"
  PG_BIN=$bin meson test -C build/gcc --no-rebuild --num-processes 2 --timeout-multiplier 2 --logbase "testlog-postgres-$version" "$@" || :
}

trap servers_remove EXIT
packages_need $packages_build $packages_sandbox $packages_tests
mkdir -p build
if [ -n "$everywhere" ]; then
  folders=build/gcc
  if build gcc gcc 2; then
    run gcc $(suites db checks)
    for server in $servers; do run_on "$server" $(suites db checks); done
  fi
elif [ $# -gt 0 ]; then
  folders=build/san
  if build san gcc 2 $sanitized; then run san --num-processes 4 $(suites "$@"); fi
else
  # Most tests wait for something most of the time: several run at a time, and the other compilers work meanwhile.
  folders='build/san build/clang build/gcc'
  san=yes
  build san gcc 2 $sanitized || san=
  build clang clang 1 $sanitized -Doptimization=0 >build/clang.out 2>&1 & clang=$!
  build gcc gcc 1 >build/gcc.out 2>&1 & gcc=$!
  if [ -n "$san" ]; then run san --num-processes 6 --no-suite crash; fi
  if wait $clang; then clang=yes; else clang=; fi
  if wait $gcc; then gcc=yes; else gcc=; fi
  cat build/clang.out build/gcc.out
  if [ -n "$clang" ]; then run clang $(suites unit tui); fi
  if [ -n "$gcc" ]; then
    run gcc --suite crash --logbase testlog-crash & crash=$!
    run gcc $(suites unit tui) --timeout-multiplier 10 --wrapper "$valgrind"
    wait $crash
    for server in $servers; do run_on "$server" reference state order resume; done
  fi
fi
echo
python3 tests/sandbox/count.py $folders
