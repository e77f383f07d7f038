// memjs speaks the binary protocol: a request is refused in that protocol's own words, at once.
const assert = require("node:assert/strict");
const memjs = require("memjs");

async function refused(ask) {
  const client = memjs.Client.create(`127.0.0.1:${process.argv[2]}`, {
    // Longer than the test may take: what ends by itself was left hanging.
    timeout: 60,
    conntimeout: 60,
    retries: 0,
    logger: { log() {} },
  });
  await assert.rejects(ask(client), (error) => {
    assert.match(String(error), /not supported|unknown command/i);
    return true;
  });
  client.close();
}

async function main() {
  await refused((client) => client.get("s"));
  await refused((client) => client.set("s", "hello", { expires: 100 }));
  await refused((client) => client.add("s", "hello", {}));
  await refused((client) => client.delete("s"));
  console.log("all is well");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
