"""For gdb: walks over the first chunks of the heap at the break and counts them by use, as viewers of
heaps written in Python do. $heap_begin and $most_chunks say where and how many."""
import struct

import gdb


def walk():
    memory = gdb.selected_inferior()
    at = int(gdb.parse_and_eval("$heap_begin"))
    most = int(gdb.parse_and_eval("$most_chunks"))
    used = free = 0
    size = struct.unpack("<QQ", memory.read_memory(at, 16).tobytes())[1] & ~7
    while size != 0 and used + free < most:
        after = struct.unpack("<QQ", memory.read_memory(at + size, 16).tobytes())[1]
        if after & 1:
            used += 1
        else:
            free += 1
        at += size
        size = after & ~7
    print(f"walked {used + free}")


walk()
