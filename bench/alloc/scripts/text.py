"""Text and bytes: many strings of some hundred bytes, and a few of many MB that are made anew."""
import re
import sys

with open(sys.argv[1]) as file:
    text = file.read()

lines = text.splitlines()
by_first = {}
for line in lines:
    by_first.setdefault(line.split(None, 1)[0], []).append(line.upper())
joined = {word: " | ".join(parts) for word, parts in by_first.items()}
changed = re.sub(r"\b(ba|ce|di)(\w+)", r"\2-\1", text)
pieces = changed.encode().split(b"-")
buffer = bytearray()
for piece in pieces:
    buffer += piece[:40]
print(len(lines), len(joined), max(map(len, joined.values())), len(changed), len(pieces), len(buffer))
