// node-redis with its default settings.
const assert = require("node:assert/strict");
const { createClient } = require("redis");

async function use(settings) {
  const lost = [];
  const client = createClient({ url: `redis://127.0.0.1:${process.argv[2]}`, ...settings });
  client.on("error", (error) => lost.push(error));
  await client.connect();
  assert.equal(await client.ping(), "PONG");
  assert.equal(await client.set("s", "hello"), "OK");
  assert.equal(await client.get("s"), "hello");
  assert.equal(await client.get("missing"), null);
  const large = "x".repeat(300000);
  assert.equal(await client.set("large", large), "OK");
  assert.equal(await client.get("large"), large);
  assert.equal(await client.mSet({ a: "1", b: "2" }), "OK");
  assert.deepEqual(await client.mGet(["a", "missing", "b"]), ["1", null, "2"]);
  assert.equal(await client.del(["a", "b", "h", "z", "l"]) >= 2, true);

  assert.equal(await client.hSet("h", { f: "1", g: "2" }), 2);
  assert.deepEqual({ ...(await client.hGetAll("h")) }, { f: "1", g: "2" });
  assert.equal(await client.rPush("l", ["a", "b"]), 2);
  assert.deepEqual(await client.lRange("l", 0, -1), ["a", "b"]);
  assert.equal(await client.zAdd("z", [{ score: 1, value: "a" }, { score: 2.5, value: "b" }]), 2);
  assert.deepEqual(
    (await client.zRangeWithScores("z", 0, -1)).map(({ value, score }) => [value, score]),
    [["a", 1], ["b", 2.5]],
  );
  assert.equal(await client.zScore("z", "b"), 2.5);
  assert.deepEqual(await client.eval("return {KEYS[1],ARGV[1]}", { keys: ["k"], arguments: ["v"] }), ["k", "v"]);

  // Requests of one turn leave as one pipeline.
  const values = await Promise.all(
    Array.from({ length: 500 }, async (_, i) => {
      client.set(`p${i}`, String(i));
      return client.get(`p${i}`);
    }),
  );
  assert.deepEqual(values, Array.from({ length: 500 }, (_, i) => String(i)));

  await assert.rejects(client.lPush("s", "x"), /WRONGTYPE/);
  await assert.rejects(client.sendCommand(["nosuch", "x"]), /unknown command/);
  await assert.rejects(client.multi().get("s").exec(), /unknown.*transactions/);
  assert.equal(await client.get("s"), "hello");
  assert.deepEqual(lost, []);
  await client.close();
}

async function main() {
  await use({});
  await use({ RESP: 2 });
  await use({ RESP: 3 });
  await use({ name: "tester" });
  console.log("all is well");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
