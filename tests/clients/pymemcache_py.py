"""pymemcache with its default settings: writes ask for no reply."""

import sys

import pymemcache
from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.exceptions import MemcacheError


def expect(got, wanted):
    assert got == wanted, f"{got!r}, not {wanted!r}"


def everyday(c):
    expect(c.set("s", "hello"), True)
    expect(c.get("s"), b"hello")
    expect(c.get("missing"), None)
    expect(c.get("missing", "instead"), "instead")
    expect(c.set_many({"a": "1", "b": "2"}), [])
    expect(c.get_many(["a", "missing", "b"]), {"a": b"1", "b": b"2"})
    expect(c.add("a", "3", noreply=True), True)
    expect(c.add("a", "3", noreply=False), False)
    expect(c.add("fresh", "3", noreply=False), True)
    expect(c.replace("a", "4", noreply=False), True)
    expect(c.replace("missing", "4", noreply=False), False)
    expect(c.append("s", "!"), True)
    expect(c.prepend("s", ">", noreply=False), True)
    expect(c.get("s"), b">hello!")
    expect(c.set("n", "10"), True)
    expect(c.incr("n", 5), 15)
    expect(c.decr("n", 1), 14)
    expect(c.incr("missing", 1), None)
    expect(c.touch("n", 100, noreply=False), True)
    expect(c.touch("missing", 100, noreply=False), False)
    expect(c.touch("n", 0), True)
    expect(c.delete("a"), True)
    expect(c.delete("a", noreply=False), False)
    expect(c.delete_many(["b", "fresh"]), True)
    expect(c.get_many(["a", "b", "fresh"]), {})
    value = bytes(range(256)) * 1000
    expect(c.set("large", value, expire=100), True)
    expect(c.get("large"), value)
    expect(c.set("gone", "x", expire=-1, noreply=False), True)
    expect(c.get("gone"), None)


def versions(c):
    expect(c.set("v", "1", noreply=False), True)
    value, token = c.gets("v")
    expect(value, b"1")
    expect(c.cas("v", "2", token), True)
    expect(c.cas("v", "3", token), False)
    expect(c.cas("missing", "3", token), None)
    expect(c.get("v"), b"2")
    many = c.gets_many(["v", "missing"])
    expect(many["v"][0], b"2")
    expect(list(many), ["v"])


def quiet(c):
    # Hundreds of writes without a reply, then an answer of one's own.
    for i in range(500):
        c.set(f"q{i}", str(i))
        c.incr(f"q{i}", 1, noreply=True)
    expect(c.get_many([f"q{i}" for i in range(500)]), {f"q{i}": str(i + 1).encode() for i in range(500)})
    for i in range(500):
        c.delete(f"q{i}")
    expect(c.get_many([f"q{i}" for i in range(500)]), {})


def errors(c, plain):
    assert c.version().startswith(b"1."), c.version()
    assert c.stats()[b"pid"], "no statistics"
    try:
        c.incr("s", 1)
    except MemcacheError as error:
        assert "non-numeric" in str(error), error
    else:
        raise AssertionError("a text was counted")
    expect(c.set("v", "still open", noreply=False), True)
    if not plain:
        # Off unless the operator allows it, and said so.
        try:
            c.flush_all(noreply=False)
        except MemcacheError as error:
            assert "flush_all is disabled" in str(error), error
        else:
            raise AssertionError("everything was flushed")
        c.flush_all()
    expect(c.get("v"), b"still open")
    try:
        c.set("too large", b"x" * 2_000_000)
    except MemcacheError:
        pass  # a blank in a key: refused by pymemcache itself
    try:
        c.set("too-large", b"x" * 2_000_000, noreply=False)
    except MemcacheError as error:
        assert "too large" in str(error), error
    else:
        raise AssertionError("a value of 2 MB was stored")
    expect(c.get("v"), b"still open")


def main():
    at = ("127.0.0.1", int(sys.argv[1]))
    plain = sys.argv[2:] == ["plain"]
    makers = [
        lambda: Client(at),
        lambda: Client(at, default_noreply=False),
        lambda: PooledClient(at, max_pool_size=4),
        lambda: HashClient([at]),
        lambda: Client(at, connect_timeout=5, timeout=5, no_delay=True, key_prefix=b"p:"),
    ]
    for make in makers:
        c = make()
        everyday(c)
        if not isinstance(c, HashClient):
            versions(c)
            errors(c, plain)
        quiet(c)
        c.delete_many(["s", "n", "large", "v"], noreply=False)
        c.close()
    c = Client(at, serde=pymemcache.serde.pickle_serde)
    c.set("object", {"name": "Ada", "born": 1815}, noreply=False)
    expect(c.get("object"), {"name": "Ada", "born": 1815})
    c.quit()
    print("all is well")


main()
