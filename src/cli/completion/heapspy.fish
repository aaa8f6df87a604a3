# fish completion for heapspy; installed as share/fish/vendor_completions.d/heapspy.fish

function __heapspy_at_command
    test (count (commandline -opc)) -eq 1
end

function __heapspy_in_trace
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = trace
end

function __heapspy_in_run
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = run
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
complete -c heapspy -n __heapspy_at_command -a run -d 'a program on libminimalloc'
complete -c heapspy -n __heapspy_at_command -a help -d 'the options of a command'
complete -c heapspy -n __heapspy_at_command -s h -l help -d 'show help'
complete -c heapspy -n __heapspy_at_command -s V -l version -d 'show the version'
complete -c heapspy -n '__fish_seen_subcommand_from help' -a 'trace run'

complete -c heapspy -n __heapspy_in_trace -x -a '(__fish_complete_subcommand --fcs-skip=2)'
complete -c heapspy -n __heapspy_in_trace -s p -l pid -x -a '(__fish_complete_pids)' -d 'trace a running process'
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

complete -c heapspy -n __heapspy_in_run -x -a '(__fish_complete_subcommand --fcs-skip=2)'
complete -c heapspy -n __heapspy_in_run -l stats -d 'show what is in the heap at exit'
complete -c heapspy -n __heapspy_in_run -l verbose -d 'show the version and the options at the start'
complete -c heapspy -n __heapspy_in_run -l set -x -a 'STATS= VERBOSE= RETAIN= THREAD_CACHE= HUGE_PAGES=' -d 'set an option of the library'
complete -c heapspy -n __heapspy_in_run -l library -r -F -d 'the libminimalloc.so to use'
complete -c heapspy -n __heapspy_in_run -s h -l help -d 'show help'
