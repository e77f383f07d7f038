"""python-binary-memcached speaks the binary protocol."""

import sys

import bmemcached

client = bmemcached.Client([f"127.0.0.1:{sys.argv[1]}"])


def same(found, wanted):
    if found != wanted:
        sys.exit(f"{found!r}, not {wanted!r}")


same(client.get("s"), None)
same(client.set("s", "hello", time=100), True)
same(client.get("s"), "hello")
same(client.add("s", "other"), False)
same(client.replace("s", "there"), True)
same(client.replace("nothing", "there"), False)
same(client.set("number", 5), True)
same(client.get("number"), 5)
same(client.set("list", [1, {"two": 3}]), True)
same(client.get("list"), [1, {"two": 3}])
same(client.incr("n", 5, default=10), 10)
same(client.incr("n", 5), 15)
same(client.decr("n", 100), 0)

# A compare and swap, and one that comes too late.
value, cas = client.gets("s")
same(value, "there")
same(client.cas("s", "swapped", cas), True)
same(client.cas("s", "late", cas), False)
same(client.get("s"), "swapped")

# Quiet requests, up to a noop.
names = {f"k{n}": f"value {n}" for n in range(300)}
client.set_multi(names)
same(client.get_multi(list(names) + ["nothing"]), names)
client.delete_multi(list(names))
same(client.get_multi(list(names)), {})

large = "x" * 200_000
same(client.set("large", large), True)
same(client.get("large"), large)
same(client.set("a key with blanks", "x"), True)
same(client.get("a key with blanks"), "x")
same(client.delete("s"), True)
same(client.get("s"), None)

stats = next(iter(client.stats().values()))
if b"pid" not in stats and "pid" not in stats:
    sys.exit(f"{stats!r}")
client.disconnect_all()
print("all is well")
