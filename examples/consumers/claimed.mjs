// Reads events, and the data of those that were too large for a message.
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Objm } from "@nats-io/obj";
import { connect } from "@nats-io/transport-node";

// What an event says, wherever it lies. The client checks the digest of what it fetches.
async function data(stores, event) {
  const reference = event.headers.get("ce-dataref");
  if (!reference.startsWith("nats-object://")) {
    return event.data;
  }
  const [bucket, name] = reference.slice("nats-object://".length).split("/");
  const store = await stores.open(bucket);
  return await store.getBlob(name);
}

const [servers, count] = process.argv.slice(2); // nats://127.0.0.1:4222 10
const nc = await connect({ servers });
const manager = await jetstreamManager(nc);
await manager.consumers.add("WEBHOOKS", {
  durable_name: "claimed-js", ack_policy: AckPolicy.Explicit, filter_subject: "webhooks.sales.>",
});
const js = jetstream(nc);
const consumer = await js.consumers.get("WEBHOOKS", "claimed-js");
const stores = new Objm(js);
for (let left = Number(count); left > 0; left--) {
  const event = await consumer.next();
  console.log(event.headers.get("ce-id"), event.headers.get("ce-type"), (await data(stores, event)).length);
  await event.ackAck(); // after your work is done; without it the event comes again
}
await nc.close();
