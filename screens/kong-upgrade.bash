# bash completion for kong-upgrade                             -*- shell-script -*-

_kong_upgrade() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command="" skip="" i
  local commands='status check plan up bootstrap finish rollback backup attach stop nodes watch routes conf report'
  local options='--conf --fleet --json --yes --quiet --verbose --plain --answers --ascii --theme --copy --trace --version --help'

  case $before in
  -c | --conf | -f | --fleet | --answers | --requests | --fix | --trace)
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
    return ;;
  --theme)
    mapfile -t COMPREPLY < <(compgen -W 'dark light contrast mono' -- "$word")
    return ;;
  --copy)
    mapfile -t COMPREPLY < <(compgen -W 'auto terminal file off' -- "$word")
    return ;;
  --to)
    mapfile -t COMPREPLY < <(compgen -W '0.14 1.0 1.1 1.2 1.3' -- "$word")
    return ;;
  # A database's name is typed by whoever means it; the ids of checks are the program's.
  --confirm | --ignore | --request)
    return ;;
  esac

  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ $skip ]]; then
      skip=
      continue
    fi
    case ${COMP_WORDS[i]} in
    -c | --conf | -f | --fleet | --answers | --theme | --copy | --trace | --to | --confirm | --ignore | --request | --requests) skip=yes ;;
    -*) ;;
    *) command=${command:-${COMP_WORDS[i]}} ;;
    esac
  done

  case $command in
  '') [[ $word == -* ]] || options=$commands ;;
  check) options+=' --ignore' ;;
  routes) options+=' --request --requests' ;;
  conf) options+=' --fix' ;;
  plan) options+=' --sql --finish' ;;
  up) options+=' --dry-run' ;;
  bootstrap) options+=' --dry-run --to' ;;
  finish) options+=' --dry-run --confirm' ;;
  rollback) options+=' --dry-run --to --confirm' ;;
  backup)
    if [[ $word != -* ]]; then
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -d -- "$word")
      return
    fi ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}

complete -F _kong_upgrade kong-upgrade
