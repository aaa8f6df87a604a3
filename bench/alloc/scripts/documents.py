"""A large JSON document read, searched, grouped, changed and written: python3 as it is started."""
import collections
import json
import sys

with open(sys.argv[1]) as file:
    records = json.load(file)

by_tag = collections.defaultdict(list)
for record in records:
    for tag in record["tags"]:
        by_tag[tag].append(record["id"])
longest = sorted(by_tag.items(), key=lambda item: (-len(item[1]), item[0]))[:10]

for record in records:
    record["words"] = dict(collections.Counter((record["comment"] or "").split()))
    record["key"] = (record["name"], record["score"])
text = json.dumps(records, sort_keys=True)
again = json.loads(text)
print(len(text), len(again), longest)
