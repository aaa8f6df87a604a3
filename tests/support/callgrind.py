"""Instructions that a program executes, counted by valgrind's callgrind."""
import pathlib
import re
import subprocess


def stripped(file, directory):
    """A copy without debug information: what Clang 19 writes is beyond the valgrind of Debian 12."""
    copy = pathlib.Path(directory) / pathlib.Path(file).name
    subprocess.run(["strip", "--strip-debug", "-o", copy, file], check=True)
    return copy


def command(directory, *program):
    """What counts a program's, and leaves a file in the directory."""
    return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/out",
            *map(str, program)]


def collected(done):
    """What a run of the command counted."""
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])
