// ioredis with its default settings.
const assert = require("node:assert/strict");
const Redis = require("ioredis").Redis ?? require("ioredis");

async function main() {
  const redis = new Redis(Number(process.argv[2]));
  const lost = [];
  redis.on("error", (error) => lost.push(error));
  assert.equal(await redis.ping(), "PONG");
  assert.equal(await redis.set("s", "hello"), "OK");
  assert.equal(await redis.get("s"), "hello");
  assert.equal(await redis.get("missing"), null);
  const large = Buffer.alloc(300000, "grüße\0");
  assert.equal(await redis.set("large", large), "OK");
  assert.deepEqual(await redis.getBuffer("large"), large);
  assert.equal(await redis.mset("a", 1, "b", 2), "OK");
  assert.deepEqual(await redis.mget("a", "missing", "b"), ["1", null, "2"]);
  assert.equal(await redis.del("a", "b"), 2);

  assert.equal(await redis.hset("h", { f: "1", g: "2" }), 2);
  assert.deepEqual({ ...(await redis.hgetall("h")) }, { f: "1", g: "2" });
  assert.equal(await redis.rpush("l", "a", "b"), 2);
  assert.deepEqual(await redis.lrange("l", 0, -1), ["a", "b"]);
  assert.equal(await redis.zadd("z", 1, "a", 2.5, "b"), 2);
  assert.deepEqual((await redis.zrange("z", 0, -1, "WITHSCORES")).flat().map(String), ["a", "1", "b", "2.5"]);
  assert.deepEqual(await redis.eval("return {KEYS[1],ARGV[1]}", 1, "k", "v"), ["k", "v"]);

  const pipe = redis.pipeline();
  for (let i = 0; i < 500; i++) pipe.set(`p${i}`, i).get(`p${i}`);
  pipe.lpush("s", "x");
  pipe.get("s");
  const results = await pipe.exec();
  assert.equal(results.length, 1002);
  for (let i = 0; i < 500; i++) {
    assert.deepEqual(results[2 * i], [null, "OK"]);
    assert.deepEqual(results[2 * i + 1], [null, String(i)]);
  }
  assert.match(results[1000][0].message, /^WRONGTYPE/);
  assert.deepEqual(results[1001], [null, "hello"]);
  // Hundreds of requests that do not wait for each other.
  const many = await Promise.all(Array.from({ length: 500 }, (_, i) => redis.get(`p${i}`)));
  assert.deepEqual(many, Array.from({ length: 500 }, (_, i) => String(i)));

  await assert.rejects(redis.lpush("s", "x"), /WRONGTYPE/);
  await assert.rejects(redis.call("nosuch", "x"), /unknown command/);
  await assert.rejects(redis.call("multi"), /unknown.*transactions/);
  await assert.rejects(redis.call("discard"), /unknown.*transactions/);
  // Sent one by one, none waiting for another: none is run.
  const parts = [redis.multi({ pipeline: false }), redis.set("never", "x"), redis.exec()];
  for (const part of await Promise.allSettled(parts)) assert.equal(part.status, "rejected");
  assert.equal(await redis.exists("never"), 0);
  await assert.rejects(redis.subscribe("c"), /unknown.*subscribe/);
  assert.equal(await redis.get("s"), "hello");
  const keys = [];
  for await (const batch of redis.scanStream({ match: "p1*" })) keys.push(...batch);
  assert.equal(new Set(keys).size, 111);
  assert.deepEqual(lost, []);
  await redis.quit();

  const named = new Redis({ port: Number(process.argv[2]), connectionName: "tester", keyPrefix: "x:" });
  assert.equal(await named.set("s", "v"), "OK");
  assert.equal(await named.client("GETNAME"), "tester");

  // It does not look at the reply to its SELECT: what it asks for afterwards must not reach database 0.
  const other = new Redis({ port: Number(process.argv[2]), db: 1, retryStrategy: null, maxRetriesPerRequest: 0 });
  other.on("error", () => {});
  await assert.rejects(other.set("x:quiet", "v"));
  assert.equal(await named.exists("quiet"), 0);
  other.disconnect();
  named.disconnect();
  console.log("all is well");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
