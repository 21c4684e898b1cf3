"""Reads events, and the data of those that were too large for a message."""

import asyncio
import sys

import nats

PREFIX = "nats-object://"


async def data(js, event):
    """What an event says, wherever it lies. The client checks the digest of what it fetches."""
    reference = event.headers.get("ce-dataref", "")
    if not reference.startswith(PREFIX):
        return event.data
    bucket, name = reference.removeprefix(PREFIX).split("/")
    store = await js.object_store(bucket)
    return (await store.get(name)).data


async def main(url, count):  # nats://127.0.0.1:4222 10
    connection = await nats.connect(url)
    js = connection.jetstream()
    calls = await js.pull_subscribe("webhooks.sales.>", durable="claimed-py", stream="WEBHOOKS")
    for _ in range(count):
        [event] = await calls.fetch(1, timeout=30)
        print(event.headers["ce-id"], event.headers["ce-type"], len(await data(js, event)))
        await event.ack_sync()  # after your work is done; without it the event comes again
    await connection.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
