"""What is measured beside the rows: single pairs, start-up, and what is kept after a free."""
import json

from running import Failed

STARTUP_REPEATS = 10
STARTUP = {"true": ("/bin/true",), "100 mallocs": ("{bin}/startup",)}
RETENTION = {
    "all freed": ("{bin}/retention", "all"),
    "90% freed at random": ("{bin}/retention", "most"),
    "all freed, then asked to give back": ("{bin}/retention", "all", "trim"),
    "90% freed at random, then asked": ("{bin}/retention", "most", "trim"),
}


def micro(sampler, allocator):
    """Yields (case, figures); the floor is an allocator by itself."""
    program = "micro_of_floor" if allocator.name == "floor" else "micro"
    _, output = sampler.run(("{bin}/" + program,), allocator)
    for case, pair_ns in json.loads(output).items():
        yield case, {"pair_ns": pair_ns}


def startup(sampler, allocator):
    for case, command in STARTUP.items():
        for _ in range(STARTUP_REPEATS):
            figures, _ = sampler.run(command, allocator)
            yield case, figures


def retention(sampler, allocator):
    for case, command in RETENTION.items():
        _, output = sampler.run(command, allocator)
        yield case, json.loads(output)


TABLES = {
    "micro": (micro, "ns of a malloc and a free"),
    "startup": (startup, "page faults and peak RSS of very small programs"),
    "retention": (retention, "RSS a second after 430 MB of small blocks were freed"),
}


def samples(table, sampler, allocator):
    """All figures of a table for one allocator; a failure is one of them."""
    try:
        yield from TABLES[table][0](sampler, allocator)
    except (Failed, json.JSONDecodeError) as error:
        yield "", {"failed": str(error)}
