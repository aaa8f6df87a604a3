"""The allocators that are compared: each is a library that is loaded before all others, or none."""
import dataclasses
import pathlib
import re
import subprocess

FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib",
           "/usr/local/lib")

# name -> (Debian packages that have it, its file there); glibc is what is measured without a library.
PEERS = {
    "jemalloc": (("libjemalloc2",), "libjemalloc.so.2"),
    "tcmalloc": (("libtcmalloc-minimal4", "libtcmalloc-minimal4t64"), "libtcmalloc_minimal.so.4"),
    "mimalloc": (("libmimalloc2.0",), "libmimalloc.so.2*"),
}
NAMES = ("glibc", "minimalloc", *PEERS)


@dataclasses.dataclass(frozen=True)
class Allocator:
    name: str
    library: str | None  # what LD_PRELOAD names
    version: str


class Missing(Exception):
    """An allocator that is not there; says what would bring it."""


def version_of_package(*names):
    for name in names:
        asked = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}", name],
                               capture_output=True, text=True)
        if asked.returncode == 0:
            return asked.stdout
    return "version unknown"


def find_peer(name):
    packages, file_name = PEERS[name]
    for folder in FOLDERS:
        found = sorted(pathlib.Path(folder).glob(file_name))
        if found:
            return Allocator(name, str(found[0]), version_of_package(*packages))
    raise Missing(f"{name}: {file_name} is not installed (package {packages[0]})")


def find(word, build, commit):
    """An allocator by its name, or a library of the caller's as name=path."""
    name, _, path = word.partition("=")
    if path:
        library = pathlib.Path(path).resolve()
        if not re.fullmatch(r"[\w.+-]+", name) or not library.is_file():
            raise Missing(f"{word}: expected a name and the path of a library")
        return Allocator(name, str(library), str(library.name))
    if name == "glibc":
        return Allocator(name, None, version_of_package("libc6"))
    if name == "minimalloc":
        library = build / "src/api/libminimalloc.so"
        if not library.exists():
            raise Missing(f"minimalloc: {library} is not built")
        return Allocator(name, str(library), commit)
    if name not in PEERS:
        raise Missing(f"{name}: unknown; known are {', '.join(NAMES)}, any other as name=path/to/lib.so")
    return find_peer(name)
