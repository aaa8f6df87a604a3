# Experiment 9.1: many objects of many sizes, half of which are deleted.
import json
import os
import sys

rows = [{"name": f"row {i}", "values": [i] * (i % 30)}
        for i in range(400)]
text = json.dumps(rows)
del rows[::2]
again = json.loads(text)[::3]

if "LAB_WAIT" in os.environ:  # a place to look, as look.h has it
    print("-- look: half of the rows are deleted", flush=True)
    sys.stdin.readline()
print("characters", len(text), "rows", len(rows), "again", len(again))
