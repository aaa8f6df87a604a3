"""One sample: one program, run once under one allocator, by bench/common/measure."""
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import inputs
import redis_row
from running import Failed, process

LIMIT_S = 300  # an allocator that hangs must not hang the run


def scratch_parent(build):
    """Where files of samples go: into memory where there is room, so that no disk is measured."""
    memory = pathlib.Path("/dev/shm")
    with contextlib.suppress(OSError):
        if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**30:
            return memory
    return build


class Sampler:
    def __init__(self, build, scratch):
        here = pathlib.Path(__file__).resolve().parent
        self.build = build
        self.scratch = scratch
        self.measurer = build / "bench/common/measure"
        self.data = build / "bench/alloc-data"
        self.places = {"bin": build / "bench/alloc", "scripts": here / "scripts", "data": self.data}
        # Nothing of the caller's that an allocator or an interpreter could take notice of.
        self.environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC", "HOME": str(scratch),
                            "PYTHONHASHSEED": "0", "GIT_CONFIG_NOSYSTEM": "1"}

    def prepare(self, row):
        """Makes the inputs that a row names."""
        words = [word for step in (row.command, *row.server) for word in step]
        for name in re.findall(r"\{data\}/([\w.]+)", " ".join(words)):
            inputs.make(self.data, name)

    def words(self, command, folder):
        """A command of rows.py, with its places filled in; jq's braces are its own."""
        places = {**self.places, "scratch": folder}
        return [re.sub(r"\{(bin|scripts|data|scratch)\}", lambda m: str(places[m[1]]), word)
                for word in command]

    def measured(self, command, allocator, variables, folder):
        """The words to start a program with, which writes its figures into the folder when ends."""
        preload = [f"LD_PRELOAD={allocator.library}"] if allocator.library else []
        return [self.measurer, folder / "figures.json", *preload, *variables, *command]

    @contextlib.contextmanager
    def folder(self):
        with tempfile.TemporaryDirectory(dir=self.scratch) as name:
            yield pathlib.Path(name)

    def run(self, command, allocator, variables=()):
        """Runs a program to its end; returns its figures, with what it printed."""
        with self.folder() as folder:
            words = self.measured(self.words(command, folder), allocator, variables, folder)
            with (open(folder / "out", "wb") as out, open(folder / "err", "wb") as err,
                  process(words, cwd=folder, env=self.environment, stdin=subprocess.DEVNULL,
                          stdout=out, stderr=err) as child):
                try:
                    child.wait(LIMIT_S)
                except subprocess.TimeoutExpired:
                    raise Failed(f"not done after {LIMIT_S} s") from None
            figures = json.loads((folder / "figures.json").read_text())
            if figures["status"] != 0:
                errors = (folder / "err").read_text(errors="replace").strip().splitlines()
                raise Failed(f"exit status {figures['status']}" + (f": {errors[-1][:120]}" if errors else ""))
            return figures, (folder / "out").read_bytes()

    def sample(self, row, allocator):
        """The figures of a row's run, and a digest of that part of its output which counts."""
        if row.server:
            figures, output = redis_row.run(self, row, allocator)
        else:
            figures, output = self.run(row.command, allocator, row.variables)
        if row.counts:
            output = b"\n".join(re.findall(row.counts.encode(), output, re.MULTILINE))
        figures["output"] = hashlib.sha256(output).hexdigest()[:16]
        return figures
