// memjs speaks the binary protocol.
const assert = require("node:assert/strict");
const memjs = require("memjs");

const MISSING = { value: null, flags: null };

async function main() {
  const client = memjs.Client.create(`127.0.0.1:${process.argv[2]}`, {
    // Longer than the test may take: what ends by itself was left hanging.
    timeout: 60,
    conntimeout: 60,
    retries: 0,
    logger: { log() {} },
  });
  assert.deepEqual(await client.get("s"), MISSING);
  assert.equal(await client.set("s", "hello", { expires: 100 }), true);
  assert.equal(String((await client.get("s")).value), "hello");
  assert.equal(await client.add("s", "other", {}), false);
  assert.equal(await client.replace("s", "there", {}), true);
  assert.equal(await client.replace("nothing", "there", {}), false);
  assert.equal(await client.append("s", "!"), true);
  assert.equal(String((await client.get("s")).value), "there!");
  assert.equal(await client.touch("s", 1000), true);
  assert.equal((await client.increment("n", 5, { initial: 10 })).value, 10);
  assert.equal((await client.increment("n", 5, {})).value, 15);
  assert.equal((await client.decrement("n", 100, {})).value, 0);
  const large = Buffer.alloc(200_000, "x");
  assert.equal(await client.set("large", large, {}), true);
  assert.deepEqual((await client.get("large")).value, large);
  // Many at once, on one connection.
  const names = Array.from({ length: 500 }, (_, n) => `k${n}`);
  await Promise.all(names.map((name) => client.set(name, name, {})));
  const found = await Promise.all(names.map((name) => client.get(name)));
  assert.deepEqual(found.map(({ value }) => String(value)), names);
  assert.equal(await client.delete("s"), true);
  assert.equal(await client.delete("s"), false);
  const stats = await new Promise((resolve, reject) =>
    client.stats((error, _server, stats) => (error ? reject(error) : resolve(stats))),
  );
  assert.match(stats.version, /^1\./);
  client.close();
  console.log("all is well");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
