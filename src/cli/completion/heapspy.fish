# fish completion for heapspy; installed as share/fish/vendor_completions.d/heapspy.fish

function __heapspy_at_command
    test (count (commandline -opc)) -eq 1
end

function __heapspy_in_trace
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = trace
end

function __heapspy_in_record
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = record
end

function __heapspy_in_report
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = report
end

function __heapspy_in_diff
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = diff
end

function __heapspy_in_inspect
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = inspect
end

function __heapspy_in_run
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = run
end

function __heapspy_in_lab
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = lab
end

# The words of lab that are no options nor their values, before the one under the cursor.
function __heapspy_lab_words
    set -l before
    for word in (commandline -opc)[3..]
        contains -- "$before" --color --width --html; or string match -v -- '-*' $word
        set before $word
    end
end

function __heapspy_at_experiment
    __heapspy_in_lab; and test (count (__heapspy_lab_words)) -eq 0
end

function __heapspy_in_glossary
    contains glossary (__heapspy_lab_words)[1]
end

function __heapspy_in_lab_command
    __heapspy_in_lab; and not __heapspy_at_experiment; and not __heapspy_in_glossary
end

# Prints what the list under the cursor may go on with: "brk," gives "brk,mmap", …
function __heapspy_list
    set -l head (string match -r '^(?:.*,)?' -- (string replace -r '^--[a-z]+=' '' -- (commandline -ct)))
    for word in $argv
        echo $head$word
    end
end

complete -c heapspy -f
complete -c heapspy -n __heapspy_at_command -a trace -d "the story of a program's memory"
complete -c heapspy -n __heapspy_at_command -a record -d 'every allocation with its stack, into a file'
complete -c heapspy -n __heapspy_at_command -a report -d 'where the memory of a recorded program went'
complete -c heapspy -n __heapspy_at_command -a diff -d 'what changed between two recordings'
complete -c heapspy -n __heapspy_at_command -a inspect -d 'where each resident byte of a process is'
complete -c heapspy -n __heapspy_at_command -a run -d 'a program on libminimalloc'
complete -c heapspy -n __heapspy_at_command -a lab -d 'experiments on malloc'
complete -c heapspy -n __heapspy_at_command -a help -d 'the options of a command'
complete -c heapspy -n __heapspy_at_command -s h -l help -d 'show help'
complete -c heapspy -n __heapspy_at_command -s V -l version -d 'show the version'
complete -c heapspy -n '__fish_seen_subcommand_from help' -a 'trace record report diff inspect run lab'

complete -c heapspy -n __heapspy_in_trace -x -a '(__fish_complete_subcommand --fcs-skip=2 -p --pid --duration --filter --cause --min -o --output --json --color --width --max-frames)'
complete -c heapspy -n __heapspy_in_trace -s p -l pid -x -a '(__fish_complete_pids)' -d 'trace a running process'
complete -c heapspy -n __heapspy_in_trace -l duration -x -d 'for this long at most'
complete -c heapspy -n __heapspy_in_trace -l no-follow -d 'stay with the first process'
complete -c heapspy -n __heapspy_in_trace -l events -d 'the system calls, one by one'
complete -c heapspy -n __heapspy_in_trace -l summary -d 'the ledger'
complete -c heapspy -n __heapspy_in_trace -l layout -d 'the address space as a picture'
complete -c heapspy -n __heapspy_in_trace -l filter -x -a '(__heapspy_list brk mmap munmap mremap mprotect pkey_mprotect madvise process_madvise shmat shmdt mlock mlock2 munlock mlockall munlockall prctl execve execveat exit io_setup io_destroy remap_file_pages map_shadow_stack)' -d 'only these system calls'
complete -c heapspy -n __heapspy_in_trace -l cause -x -a '(__heapspy_list loader libc-startup malloc program runtime unknown)' -d 'only what these caused'
complete -c heapspy -n __heapspy_in_trace -l min -x -d 'only calls about at least this much'
complete -c heapspy -n __heapspy_in_trace -l stack -d 'the whole call stack of each call'
complete -c heapspy -n __heapspy_in_trace -s o -l output -r -F -d 'write the text to a file'
complete -c heapspy -n __heapspy_in_trace -l json -r -F -d 'also write JSON'
complete -c heapspy -n __heapspy_in_trace -s q -l quiet -d 'no text at all'
complete -c heapspy -n __heapspy_in_trace -l color -x -a 'auto always never' -d 'when to colour'
complete -c heapspy -n __heapspy_in_trace -l width -x -d columns
complete -c heapspy -n __heapspy_in_trace -l no-stacks -d 'take no call stacks'
complete -c heapspy -n __heapspy_in_trace -l max-frames -x -d 'frames of a stack at most'
complete -c heapspy -n __heapspy_in_trace -l no-debug-files -d 'ignore separate debug files'
complete -c heapspy -n __heapspy_in_trace -l verify -d 'compare the model with the kernel'
complete -c heapspy -n __heapspy_in_trace -l no-seccomp -d 'stop at every system call'
complete -c heapspy -n __heapspy_in_trace -s h -l help -d 'show help'

complete -c heapspy -n __heapspy_in_record -x -a '(__fish_complete_subcommand --fcs-skip=2 -p --pid --duration -o --output --max-frames --sample --on-overflow --agent)'
complete -c heapspy -n __heapspy_in_record -s p -l pid -x -a '(__fish_complete_pids)' -d 'record a running process'
complete -c heapspy -n __heapspy_in_record -l duration -x -d 'for this long at most'
complete -c heapspy -n __heapspy_in_record -s o -l output -r -F -d 'write to a file'
complete -c heapspy -n __heapspy_in_record -s q -l quiet -d 'do not say what was written'
complete -c heapspy -n __heapspy_in_record -l max-frames -x -d 'frames of a stack at most'
complete -c heapspy -n __heapspy_in_record -l free-stacks -d 'the stacks of frees too'
complete -c heapspy -n __heapspy_in_record -l sample -x -d 'one block in so many bytes (512K)'
complete -c heapspy -n __heapspy_in_record -l leaks -d 'search for leaks at the end'
complete -c heapspy -n __heapspy_in_record -l first-touch -d 'record page faults too'
complete -c heapspy -n __heapspy_in_record -l on-overflow -x -a 'wait drop' -d 'where the program is too fast'
complete -c heapspy -n __heapspy_in_record -l agent -r -F -d 'the libheapspy-agent.so to use'
complete -c heapspy -n __heapspy_in_record -s h -l help -d 'show help'

complete -c heapspy -n '__heapspy_in_report; and not string match -qr -- "^--(tree|fail-on-leak)=" (commandline -ct)' -F
complete -c heapspy -n __heapspy_in_report -l by -x -a 'function file module thread size' -d 'sums by what'
complete -c heapspy -n __heapspy_in_report -l tree -f -a 'callees callers' -d 'a tree of calls'
complete -c heapspy -n __heapspy_in_report -l measure -x -a 'peak leaked allocated calls temporary' -d 'only this, or what to go by'
complete -c heapspy -n __heapspy_in_report -l top -x -d 'rows of each table'
complete -c heapspy -n __heapspy_in_report -l depth -x -d 'callers under each place'
complete -c heapspy -n __heapspy_in_report -l focus -x -d 'only stacks that match'
complete -c heapspy -n __heapspy_in_report -l suppressions -r -F -d 'leaks that are known'
complete -c heapspy -n __heapspy_in_report -l at -x -d 'as though the recording ended then'
complete -c heapspy -n __heapspy_in_report -l between -x -d 'only what was allocated between two times'
complete -c heapspy -n __heapspy_in_report -l json -d 'one JSON object'
complete -c heapspy -n __heapspy_in_report -l export -x -a 'folded flamegraph pprof speedscope perfetto sqlite' -d 'the form of another tool'
complete -c heapspy -n __heapspy_in_report -s o -l output -r -F -d 'write to a file'
complete -c heapspy -n __heapspy_in_report -l color -x -a 'auto always never' -d 'when to colour'
complete -c heapspy -n __heapspy_in_report -l width -x -d columns
complete -c heapspy -n __heapspy_in_report -l fail-on-leak -d 'exit with 3 where more was never freed'
complete -c heapspy -n __heapspy_in_report -s h -l help -d 'show help'

complete -c heapspy -n __heapspy_in_diff -F
complete -c heapspy -n __heapspy_in_diff -l by -x -a 'function file module' -d 'a table by what'
complete -c heapspy -n __heapspy_in_diff -l measure -x -a 'peak leaked allocated calls temporary' -d 'only this'
complete -c heapspy -n __heapspy_in_diff -l top -x -d 'rows of each table'
complete -c heapspy -n __heapspy_in_diff -l depth -x -d 'callers under each place'
complete -c heapspy -n __heapspy_in_diff -l json -d 'one JSON object'
complete -c heapspy -n __heapspy_in_diff -s o -l output -r -F -d 'write to a file'
complete -c heapspy -n __heapspy_in_diff -l color -x -a 'auto always never' -d 'when to colour'
complete -c heapspy -n __heapspy_in_diff -l width -x -d columns
complete -c heapspy -n __heapspy_in_diff -l fail-on-growth -x -d 'exit with 3 where more grew'
complete -c heapspy -n __heapspy_in_diff -s h -l help -d 'show help'
complete -c heapspy -n __heapspy_in_inspect -F
complete -c heapspy -n __heapspy_in_inspect -x -a '(__fish_complete_pids)'
complete -c heapspy -n __heapspy_in_inspect -l exe -r -F -d 'the program of a core'
complete -c heapspy -n __heapspy_in_inspect -l no-stop -d 'read the process as it runs'
complete -c heapspy -n __heapspy_in_inspect -l max-pause -x -d 'stop it for so many milliseconds at most'
complete -c heapspy -n __heapspy_in_inspect -l max-copy -x -d 'copy a heap of up to this size'
complete -c heapspy -n __heapspy_in_inspect -l chunks -d 'the chunks of the heap'
complete -c heapspy -n __heapspy_in_inspect -l arena -x -a 'main mmapped' -d 'only of an arena'
complete -c heapspy -n __heapspy_in_inspect -l size -x -d 'only of these sizes'
complete -c heapspy -n __heapspy_in_inspect -l free -d 'only free ones'
complete -c heapspy -n __heapspy_in_inspect -l live -d 'only live ones'
complete -c heapspy -n __heapspy_in_inspect -l around -x -d 'what an address is'
complete -c heapspy -n __heapspy_in_inspect -l leaks -d 'blocks that nothing leads to'
complete -c heapspy -n __heapspy_in_inspect -l map -d 'the heap as a drawing'
complete -c heapspy -n __heapspy_in_inspect -l range -x -d 'of the map only a part'
complete -c heapspy -n __heapspy_in_inspect -l watch -x -d 'show it again and again'
complete -c heapspy -n __heapspy_in_inspect -l recording -r -F -d 'a recording of the process'
complete -c heapspy -n __heapspy_in_inspect -l try-trim -d 'have the process call malloc_trim(0)'
complete -c heapspy -n __heapspy_in_inspect -l top -x -d 'rows of each table'
complete -c heapspy -n __heapspy_in_inspect -l json -d 'one JSON object'
complete -c heapspy -n __heapspy_in_inspect -s o -l output -r -F -d 'write to a file'
complete -c heapspy -n __heapspy_in_inspect -l color -x -a 'auto always never' -d 'when to colour'
complete -c heapspy -n __heapspy_in_inspect -l width -x -d columns
complete -c heapspy -n __heapspy_in_inspect -s h -l help -d 'show help'

# A long option that came first would be taken for one of the function's own; it passes over NAME=VALUE itself.
complete -c heapspy -n __heapspy_in_run -x -a '(__fish_complete_subcommand --fcs-skip=2 - --library)'
complete -c heapspy -n __heapspy_in_run -l stats -d 'show what is in the heap at exit'
complete -c heapspy -n __heapspy_in_run -l verbose -d 'show the version and the options at the start'
complete -c heapspy -n __heapspy_in_run -l set -x -a 'STATS= VERBOSE= RETAIN= THREAD_CACHE= HUGE_PAGES= WRONG_SIZES=' -d 'set an option of the library'
complete -c heapspy -n __heapspy_in_run -l library -r -F -d 'the libminimalloc.so to use'
complete -c heapspy -n __heapspy_in_run -s h -l help -d 'show help'

complete -c heapspy -n __heapspy_in_lab_command -x -a '(__fish_complete_subcommand --fcs-skip=3 - --color --width --html)'
complete -c heapspy -n __heapspy_in_glossary -x -a "(heapspy lab glossary 2>/dev/null | awk '!NF { first = 1; next } first && sub(/^  /, \"\") && sub(/: .*/, \"\") { gsub(/, /, \"\\n\"); print } { first = 0 }')"
complete -c heapspy -n __heapspy_at_experiment -x -a "(heapspy lab 2>/dev/null | string replace -rf '^  ([0-9.]+) +' '\$1\t')"
complete -c heapspy -n __heapspy_at_experiment -x -a glossary -d 'the words'
complete -c heapspy -n __heapspy_in_lab -l ask -d 'ask for your own prediction first'
complete -c heapspy -n __heapspy_in_lab -l json -d 'one JSON object'
complete -c heapspy -n __heapspy_in_lab -l html -x -a '(__fish_complete_directories)' -d 'all experiments as web pages'
complete -c heapspy -n __heapspy_in_lab -l color -x -a 'auto always never' -d 'when to colour'
complete -c heapspy -n __heapspy_in_lab -l width -x -d columns
complete -c heapspy -n __heapspy_in_lab -s h -l help -d 'show help'
