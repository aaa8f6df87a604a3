# bash completion for heapspy; installed as share/bash-completion/completions/heapspy
_heapspy_list() {
  # Completes the last of a comma-separated list of the words in $1.
  local head='' last=$cur
  [[ $cur == *,* ]] && head=${cur%,*}, last=${cur##*,}
  mapfile -t COMPREPLY < <(compgen -P "$head" -W "$1" -- "$last")
  compopt -o nospace
}

_heapspy_trace_value() {
  # Completes the value of option $1; 1 where it takes none.
  case $1 in
    -o | --output | --json) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && compopt -o filenames ;;
    -p | --pid) mapfile -t COMPREPLY < <(compgen -W "$(ps -eo pid= 2>/dev/null)" -- "$cur") ;;
    --filter) _heapspy_list 'brk mmap munmap mremap mprotect pkey_mprotect madvise process_madvise
      shmat shmdt mlock mlock2 munlock mlockall munlockall prctl execve execveat exit
      io_setup io_destroy remap_file_pages map_shadow_stack' ;;
    --cause) _heapspy_list 'loader libc-startup malloc program runtime unknown' ;;
    --color) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$cur") ;;
    --min | --width | --max-frames | --duration) COMPREPLY=() ;;
    *) return 1 ;;
  esac
}

_heapspy_run_value() {
  # The same for `run`.
  case $1 in
    --library) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && compopt -o filenames ;;
    --set)
      mapfile -t COMPREPLY < <(compgen -S = -W 'STATS VERBOSE RETAIN THREAD_CACHE HUGE_PAGES WRONG_SIZES' \
        -- "$cur")
      compopt -o nospace ;;
    *) return 1 ;;
  esac
}

_heapspy_record_value() {
  # The same for `record`.
  case $1 in
    -p | --pid) mapfile -t COMPREPLY < <(compgen -W "$(ps -eo pid= 2>/dev/null)" -- "$cur") ;;
    -o | --output | --agent) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && compopt -o filenames ;;
    --on-overflow) mapfile -t COMPREPLY < <(compgen -W 'wait drop' -- "$cur") ;;
    --max-frames | --sample | --duration) COMPREPLY=() ;;
    *) return 1 ;;
  esac
}

_heapspy_report_value() {
  # The same for `report`; its --json takes none.
  case $1 in
    -o | --output | --suppressions) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && compopt -o filenames ;;
    --by) mapfile -t COMPREPLY < <(compgen -W 'function file module thread size' -- "$cur") ;;
    --measure)
      mapfile -t COMPREPLY < <(compgen -W 'peak leaked allocated calls temporary' -- "$cur") ;;
    --export)
      mapfile -t COMPREPLY < <(compgen -W 'folded flamegraph pprof speedscope perfetto sqlite' -- "$cur")
      ;;
    --color) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$cur") ;;
    --tree)
      [[ $equals ]] && mapfile -t COMPREPLY < <(compgen -W 'callees callers' -- "$cur") ;;
    --top | --depth | --focus | --at | --between | --width) COMPREPLY=() ;;
    *) return 1 ;;
  esac
}

_heapspy_report() {
  # Options may be before and after the file.
  _heapspy_report_value "$prev" && return
  [[ $equals ]] && return
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--by --tree --measure --top --depth --focus --at --between
      --suppressions --json --export --output --color --width --fail-on-leak --help' -- "$cur")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$cur") && compopt -o filenames
  fi
}

_heapspy_diff() {
  # The same for `diff`, whose values are all values of `report` too.
  case $prev in
    --by) mapfile -t COMPREPLY < <(compgen -W 'function file module' -- "$cur") && return ;;
    --fail-on-growth) return ;;
  esac
  _heapspy_report_value "$prev" && return
  [[ $equals ]] && return
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--by --measure --top --depth --json --output --color
      --width --fail-on-growth --help' -- "$cur")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$cur") && compopt -o filenames
  fi
}

_heapspy_inspect_value() {
  # The same for `inspect`; its --json takes none either.
  case $1 in
    -o | --output | --exe | --recording) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && compopt -o filenames ;;
    --arena) mapfile -t COMPREPLY < <(compgen -W 'main mmapped' -- "$cur") ;;
    --color) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$cur") ;;
    --size | --around | --range | --watch | --top | --width | --max-pause | --max-copy) COMPREPLY=() ;;
    *) return 1 ;;
  esac
}

_heapspy_inspect() {
  # A process or a core file.
  _heapspy_inspect_value "$prev" && return
  [[ $equals ]] && return
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--exe --no-stop --max-pause --max-copy --chunks --arena --size --free --live
      --around --leaks --map --range --watch --recording --try-trim
      --top --json --output --color --width --help' \
      -- "$cur")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$cur"; compgen -W "$(ps -eo pid= 2>/dev/null)" -- "$cur")
    compopt -o filenames
  fi
}

_heapspy_skip_options() {
  # Moves i to the first word that is no option of ours nor its value. Bash splits words at '=':
  # --filter = brk, --set RETAIN = 64M.
  for (( ; i < COMP_CWORD; i++)); do
    [[ ${COMP_WORDS[i]} == -* && ${COMP_WORDS[i + 1]} == '=' ]] && ((i += 2)) && continue
    case ${COMP_WORDS[i]} in
      --) ((i++)) && break ;;
      -o | --output | --json | -p | --pid | --filter | --cause | --color | --min | --width | \
        --max-frames | --set | --library | --on-overflow | --agent | --duration | --sample | --html)
        [[ ${COMP_WORDS[1]}${COMP_WORDS[i]} == lab--json ]] || ((i++)) ;;
      -*) ;;
      =) ((i++)) ;;
      *) break ;;
    esac
  done
}

_heapspy_command() {
  # Completes the program's command, which begins at word $1.
  declare -F _command_offset >/dev/null && _command_offset "$1"
}

_heapspy_lab() {
  # An experiment and its command, or the glossary and its words.
  case $prev in
    --html) mapfile -t COMPREPLY < <(compgen -d -- "$cur") && compopt -o filenames && return ;;
    --color) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$cur") && return ;;
    --width) return ;;
  esac
  local i=2 experiment=''
  _heapspy_skip_options
  if ((i < COMP_CWORD)); then
    experiment=${COMP_WORDS[i++]}
    _heapspy_skip_options
  fi
  if [[ $experiment == glossary ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(heapspy lab glossary 2>/dev/null |
      awk '!NF { first = 1; next } first && sub(/^  /, "") && sub(/: .*/, "") { gsub(/, /, "\n"); gsub(/\047/, "\\\\&"); print } { first = 0 }')" -- "$cur")
  elif ((i < COMP_CWORD)); then
    _heapspy_command "$i"
  elif [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--ask --json --html --color --width --help' -- "$cur")
  elif [[ $experiment ]]; then
    mapfile -t COMPREPLY < <(compgen -c -- "$cur")
  else
    mapfile -t COMPREPLY < <(compgen -W "glossary $(heapspy lab 2>/dev/null |
      sed -n 's/^  \([0-9.]*\) .*/\1/p')" -- "$cur")
  fi
}

_heapspy() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} equals='' i=2
  COMPREPLY=()
  if [[ $cur == '=' ]]; then
    cur='' equals=1
  elif [[ $prev == '=' ]]; then
    prev=${COMP_WORDS[COMP_CWORD - 2]} equals=1
  fi
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W 'trace record report diff inspect run lab help --help --version' -- "$cur")
    return
  fi
  case ${COMP_WORDS[1]} in
    help)
      ((COMP_CWORD == 2)) && mapfile -t COMPREPLY < <(compgen -W 'trace record report diff inspect run lab' -- "$cur")
      return ;;
    report | diff)
      "_heapspy_${COMP_WORDS[1]}"
      return ;;
    inspect | lab)
      "_heapspy_${COMP_WORDS[1]}"
      return ;;
    trace | record | run) ;;
    *) return ;;
  esac
  _heapspy_skip_options
  if ((i < COMP_CWORD)); then
    _heapspy_command "$i"
    return
  fi
  "_heapspy_${COMP_WORDS[1]}_value" "$prev" && return
  [[ $equals ]] && return
  if [[ $cur == -* && ${COMP_WORDS[1]} == run ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--stats --verbose --set --library --help' -- "$cur")
  elif [[ $cur == -* && ${COMP_WORDS[1]} == record ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--pid --duration --output --quiet --max-frames --free-stacks --leaks --first-touch --sample
      --on-overflow --agent --help' -- "$cur")
  elif [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--pid --duration --no-follow --events --summary --layout --filter
      --cause --min --stack --output --json --quiet --color --width --no-stacks --max-frames
      --no-debug-files --verify --no-seccomp --help' -- "$cur")
  else
    mapfile -t COMPREPLY < <(compgen -c -- "$cur")
  fi
}

complete -F _heapspy heapspy
