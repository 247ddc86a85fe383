#!/bin/sh
# Builds the program three ways, runs all tests, and closes with one line: "N passed, N failed".
#
#   sh tests/run.sh [SUITE…]   with suites (unit, tui, …): those alone, in build/san
#
# Debian packages that are missing are installed first (root, else sudo). Exit code 0 only if something passed and nothing failed.
# What was built is kept under build/, so that the next run compiles what has changed:
#
#   build/san     gcc, AddressSanitizer and UndefinedBehaviorSanitizer: all tests, two at a time
#   build/clang   clang, the same sanitizers: the tests that need no server
#   build/gcc     gcc, as it is installed: the same, under valgrind
set -eu
cd "$(dirname "$0")/.."
. tests/sandbox/packages.sh

for suite in "$@"; do
  case $suite in -*) echo "usage: sh tests/run.sh [SUITE…]" >&2; exit 64 ;; esac
done

export LC_ALL=C.UTF-8 CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
# Undefined behaviour ends the program, also the worker, which gets no environment but what it needs.
sanitized='-Db_sanitize=address,undefined -Db_lundef=false -Dc_args=-fno-sanitize-recover=all'
valgrind='valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite,indirect,possible'
folders=

# build NAME COMPILER OPTIONS: everything, the tests too; a warning is an error. A build that fails leaves no log of tests, and counts.
build() {
  folder=build/$1 compiler=$2
  shift 2
  folders="$folders $folder"
  echo "== $folder"
  rm -f "$folder"/meson-logs/testlog*
  if [ -f "$folder/build.ninja" ]; then set -- --reconfigure "$@"; else rm -rf "$folder"; fi
  if CC=$compiler meson setup -Dwerror=true "$@" "$folder" >"$folder.log" 2>&1 &&
    ninja -C "$folder" -j 2 all meson-test-prereq >>"$folder.log" 2>&1
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

packages_need $packages_build $packages_sandbox $packages_tests
mkdir -p build
if build san gcc $sanitized; then run san $(suites "$@"); fi
if [ $# = 0 ]; then
  if build clang clang $sanitized; then run clang $(suites unit tui); fi
  if build gcc gcc; then run gcc $(suites unit tui) --timeout-multiplier 10 --wrapper "$valgrind"; fi
fi
echo
exec python3 tests/sandbox/count.py $folders
