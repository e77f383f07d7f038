"""python-memcached with its default settings."""

import sys

import memcache


def expect(got, wanted):
    assert got == wanted, f"{got!r}, not {wanted!r}"


def everyday(c):
    expect(c.set("s", "hello"), True)
    expect(c.get("s"), "hello")
    expect(c.get("missing"), None)
    expect(c.set("n", 10), True)
    expect(c.incr("n"), 11)
    expect(c.decr("n", 3), 8)
    expect(c.get("n"), 8)
    expect(c.incr("missing"), None)
    expect(c.set("object", {"name": "Ada", "born": 1815}), True)
    expect(c.get("object"), {"name": "Ada", "born": 1815})
    expect(c.set_multi({"a": "1", "b": "2"}), [])
    expect(c.get_multi(["a", "missing", "b"]), {"a": "1", "b": "2"})
    expect(c.set_multi({"x": "1", "y": "2"}, key_prefix="p_", time=100), [])
    expect(c.get_multi(["x", "y"], key_prefix="p_"), {"x": "1", "y": "2"})
    expect(bool(c.add("a", "3")), False)
    expect(bool(c.add("fresh", "3")), True)
    expect(bool(c.replace("missing", "3")), False)
    expect(bool(c.replace("fresh", "4")), True)
    expect(bool(c.append("s", "!")), True)
    expect(bool(c.prepend("s", ">")), True)
    expect(c.get("s"), ">hello!")
    expect(bool(c.touch("s", 100)), True)
    expect(bool(c.delete("a")), True)
    expect(bool(c.delete("a")), False)
    expect(bool(c.delete("fresh", noreply=True)), True)
    expect(c.get("fresh"), None)
    expect(c.delete_multi(["b", "x"]), 1)
    value = "grüße " * 50_000
    expect(c.set("large", value), True)
    expect(c.get("large"), value)
    expect(c.set("packed", "y" * 500_000, min_compress_len=1000), True)
    expect(c.get("packed"), "y" * 500_000)


def quiet(c):
    for i in range(300):
        c.set(f"q{i}", str(i), noreply=True)
        c.incr(f"q{i}", noreply=True)
        c.touch(f"q{i}", 100, noreply=True)
    got = c.get_multi([f"q{i}" for i in range(300)])
    expect({key: int(value) for key, value in got.items()}, {f"q{i}": i + 1 for i in range(300)})
    for i in range(300):
        c.delete(f"q{i}", noreply=True)
    expect(c.get_multi([f"q{i}" for i in range(300)]), {})


def versions(at):
    one, other = memcache.Client([at], cache_cas=True), memcache.Client([at], cache_cas=True)
    expect(one.set("v", "1"), True)
    expect(one.gets("v"), "1")
    expect(other.gets("v"), "1")
    expect(bool(one.cas("v", "2")), True)
    expect(bool(other.cas("v", "3")), False)
    expect(other.gets("v"), "2")
    expect(bool(other.cas("v", "3")), True)
    expect(one.get("v"), "3")


def rest(c, plain):
    statistics = c.get_stats()
    expect(len(statistics), 1)
    assert statistics[0][1]["pid"], statistics
    # What is too large is not stored, and the connection lives.
    expect(bool(c.set("too-large", "x" * 1_048_000 + "y" * 5_000)), False)
    expect(c.get("s"), ">hello!")
    if not plain:
        # Refused; this client does not look at the answer.
        c.flush_all()
        expect(c.get("s"), ">hello!")


def main():
    at = f"127.0.0.1:{sys.argv[1]}"
    plain = sys.argv[2:] == ["plain"]
    for settings in ({}, {"socket_timeout": 10, "check_keys": False}):
        c = memcache.Client([at], **settings)
        everyday(c)
        quiet(c)
        rest(c, plain)
        c.disconnect_all()
    versions(at)
    print("all is well")


main()
