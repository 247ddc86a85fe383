#!/bin/sh
# What --help names is in the man page and in the completion, too; what the sources read is in both, or in the man page.
#
#   manual_test.sh KONG-UPGRADE MAN-PAGE COMPLETION
set -eu

help=$("$1" --help)
manual=$(tr -d '\\' <"$2")
completion=$(cat "$3")
number=0 failed=0

# holds TEXT PATTERN WHAT
holds() {
  number=$((number + 1))
  if printf "%s\n" "$1" | grep -qE -e "$2"; then
    echo "ok $number - $3"
  else
    echo "not ok $number - $3"
    failed=1
  fi
}

commands=$(echo "$help" | awk '/^Commands:/ { inside = 1; next } /^$/ { inside = 0 }
  inside { for (i = 1; i <= NF; i++) { more = sub(/,$/, "", $i); print $i; if (!more) break } }')
for command in $commands; do
  holds "$manual" "^\.B $command\$|fB${command}fR" "$command is in the man page"
  holds "$completion" "^  local commands=.*[' ]${command}[' ]" "$command is completed"
done
options=$(echo "$help" | grep -oE -e '--[a-z][a-z-]+' | sort -u)
for option in $options; do
  holds "$manual" "$option(fR|\$| )" "$option is in the man page"
  holds "$completion" "[' ]${option}[' ]" "$option is completed"
done
for code in $(echo "$help" | sed -n '/^Exit codes:/,$p' | grep -oE '[0-9]+ [a-z]' | cut -d' ' -f1); do
  holds "$manual" "^$code;T" "exit code $code is in the man page"
done

root=$(dirname "$2")/..
parsed=$(sed -n 's/^    {"\([a-z-]*\)", [a-z]*_argument,.*/\1/p' "$root/screens/options.c")
for option in $parsed; do
  holds "$help" "--$option([^a-z-]|\$)" "--$option is in --help"
done
for key in $(sed -n 's/^    {"[a-z]*", "\([a-z_]*\)", set_.*/\1/p' "$root/core/conf/fleet.c") ca certificate key insecure header provision divert decommission deadline wait; do
  holds "$manual" "^(fB)?$key(fR)? = |fB$key = " "fleet.ini: $key is in the man page"
done
for variable in $(grep -rhoE 'getenv\("[A-Z_]+"\)' "$root/core" "$root/tui" "$root/screens" | cut -d'"' -f2 | sort -u); do
  holds "$(echo "$manual" | sed -n '/^.SH ENVIRONMENT/,/^.SH EX/p')" "(^|[^A-Z_])$variable([^A-Z_]|\$)" "$variable is in the man page"
done
[ $number -gt 90 ] && [ $failed = 0 ]
