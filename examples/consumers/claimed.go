// Reads events, and the data of those that were too large for a message.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// data is what an event says, wherever it lies. The client checks the digest of what it fetches.
func data(ctx context.Context, js jetstream.JetStream, event jetstream.Msg) ([]byte, error) {
	reference, claimed := strings.CutPrefix(event.Headers().Get("ce-dataref"), "nats-object://")
	if !claimed {
		return event.Data(), nil
	}
	bucket, name, _ := strings.Cut(reference, "/")
	store, err := js.ObjectStore(ctx, bucket)
	if err != nil {
		return nil, err
	}
	return store.GetBytes(ctx, name)
}

func main() {
	ctx := context.Background()
	url, count := os.Args[1], os.Args[2] // nats://127.0.0.1:4222 10
	nc, err := nats.Connect(url)
	if err != nil {
		log.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		log.Fatal(err)
	}
	consumer, err := js.CreateOrUpdateConsumer(ctx, "WEBHOOKS", jetstream.ConsumerConfig{
		Durable: "claimed-go", FilterSubject: "webhooks.sales.>",
	})
	if err != nil {
		log.Fatal(err)
	}
	left, err := strconv.Atoi(count)
	if err != nil {
		log.Fatal(err)
	}
	for ; left > 0; left-- {
		event, err := consumer.Next()
		if err != nil {
			log.Fatal(err)
		}
		bytes, err := data(ctx, js, event)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Headers().Get("ce-id"), event.Headers().Get("ce-type"), len(bytes))
		if err := event.DoubleAck(ctx); err != nil { // after your work is done; without it the event comes again
			log.Fatal(err)
		}
	}
}
