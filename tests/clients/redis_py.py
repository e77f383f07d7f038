"""redis-py with its default settings."""

import sys

import redis


def expect(got, wanted):
    assert got == wanted, f"{got!r}, not {wanted!r}"


def fails(call, *words):
    try:
        got = call()
    except redis.RedisError as error:
        text = str(error).lower()
        assert all(word.lower() in text for word in words), text
    else:
        raise AssertionError(f"{got!r}, not an error with {words}")


def everyday(r):
    expect(r.ping(), True)
    expect(r.set("s", "hello"), True)
    expect(r.get("s"), b"hello")
    expect(r.get("missing"), None)
    expect(r.set("s", "x", nx=True), None)
    expect(r.incr("n"), 1)
    expect(r.append("s", "!"), 6)
    expect(r.mset({"a": 1, "b": 2}), True)
    expect(r.mget("a", "missing", "b"), [b"1", None, b"2"])
    expect(r.exists("a", "b", "missing"), 2)
    expect(r.delete("a", "b"), 2)
    expect(r.unlink("n"), 1)
    expect(r.expire("s", 100), True)
    assert 0 < r.ttl("s") <= 100
    value = bytes(range(256)) * 1000
    expect(r.set("large", value), True)
    expect(r.get("large"), value)

    expect(r.hset("h", mapping={"f": "1", "g": "2"}), 2)
    expect(r.hgetall("h"), {b"f": b"1", b"g": b"2"})
    expect(r.hmget("h", "f", "missing"), [b"1", None])
    expect(r.hincrbyfloat("h", "f", 0.5), 1.5)

    expect(r.rpush("l", "a", "b", "c"), 3)
    expect(r.lrange("l", 0, -1), [b"a", b"b", b"c"])
    expect(r.lpop("l", 2), [b"a", b"b"])

    expect(r.sadd("st", "x", "y"), 2)
    expect(set(r.smembers("st")), {b"x", b"y"})
    expect(bool(r.sismember("st", "x")), True)

    expect(r.zadd("z", {"a": 1, "b": 2.5}), 2)
    expect([tuple(pair) for pair in r.zrange("z", 0, -1, withscores=True)], [(b"a", 1.0), (b"b", 2.5)])
    expect(r.zscore("z", "b"), 2.5)
    expect(r.zincrby("z", 1, "a"), 2.0)

    first = r.xadd("x", {"f": "v"})
    expect(r.xlen("x"), 1)
    expect(r.xrange("x"), [(first, {b"f": b"v"})])

    expect(r.geoadd("g", (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")), 2)
    assert 166 < float(r.geodist("g", "Palermo", "Catania", unit="km")) < 167

    expect(r.eval("return {KEYS[1], ARGV[1]}", 1, "k", "v"), [b"k", b"v"])
    expect(r.register_script("return redis.call('get', KEYS[1])")(keys=["s"]), b"hello!")
    assert b"s" in set(r.scan_iter(match="*", count=5))
    assert r.info()["redis_version"]
    assert r.config_get("maxmemory")["maxmemory"] is not None


def pipelines(r):
    with r.pipeline(transaction=False) as pipe:
        for i in range(500):
            pipe.set(f"p{i}", i)
        for i in range(500):
            pipe.get(f"p{i}")
        results = pipe.execute()
    expect(results[:500], [True] * 500)
    expect(results[500:], [str(i).encode() for i in range(500)])
    with r.pipeline(transaction=False) as pipe:
        pipe.get("s").lpush("s", "x").get("s")
        results = pipe.execute(raise_on_error=False)
    expect((results[0], results[2]), (b"hello!", b"hello!"))
    assert isinstance(results[1], redis.ResponseError), results


def errors(r):
    fails(lambda: r.lpush("s", "x"), "wrong kind of value")
    fails(lambda: r.execute_command("nosuch", "x"), "unknown command")
    fails(lambda: r.execute_command("get"), "wrong number of arguments")
    fails(lambda: r.set("s", "x", ex=0), "invalid expire")
    # Not supported, and said so; the connection lives.
    with r.pipeline() as pipe:
        pipe.get("s").get("s")
        fails(pipe.execute, "unknown", "transactions")
    fails(lambda: r.blpop("l", timeout=1), "unknown", "blocking")
    fails(r.flushall, "unknown")
    fails(lambda: r.publish("c", "m"), "unknown")
    expect(r.ping(), True)


def main():
    port = int(sys.argv[1])
    for settings in ({}, {"protocol": 2}, {"client_name": "tester", "health_check_interval": 1}):
        cleaner = redis.Redis(port=port)
        keys = list(cleaner.scan_iter(count=1000))
        if keys:
            cleaner.delete(*keys)
        r = redis.Redis(port=port, **settings)
        everyday(r)
        pipelines(r)
        errors(r)
        expect(r.get("s"), b"hello!")
        r.close()
    text = redis.Redis(port=port, decode_responses=True)
    text.set("t", "grüße")
    expect(text.get("t"), "grüße")
    print("all is well")


main()
