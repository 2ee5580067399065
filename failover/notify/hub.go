package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"

	"erfailover/failover/fault"
)

// HubOptions say where the outcome stream goes.
type HubOptions struct {
	Address    string // "namespace.servicebus.windows.net/hub"
	Credential azcore.TokenCredential
	Endpoint   string      // host:port in place of the namespace's own, for tests and private endpoints
	TLS        *tls.Config // nil is the system's
}

// Hub publishes each message as a CloudEvent to an event hub: the outcome stream,
// for those who act on what we did, on-premises routers above all. The events of a
// group keep their order: the group is the partition key.
type Hub struct {
	namespace, hub string
	o              HubOptions

	mu     sync.Mutex
	client *azeventhubs.ProducerClient // opened by the first Send, and again after a failure
}

// NewHub returns the channel of an event hub. It connects to nothing.
func NewHub(o HubOptions) (*Hub, error) {
	ns, hub, ok := strings.Cut(o.Address, "/")
	if !ok || ns == "" || hub == "" || strings.Contains(hub, "/") {
		return nil, &fault.Error{Op: "read the address of", Target: "eventHub", Kind: fault.Invalid, Hint: "namespace.servicebus.windows.net/hub"}
	}
	return &Hub{namespace: ns, hub: hub, o: o}, nil
}

// Send implements Channel.
func (h *Hub) Send(ctx context.Context, messages []Message) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.open(); err != nil {
		return 0, h.failed(err)
	}
	sent := 0
	for sent < len(messages) {
		n, err := h.batch(ctx, messages[sent:])
		if err != nil {
			last, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			_ = h.client.Close(last) // a broken link: the next pass opens a new one
			stop()
			h.client = nil
			return sent, h.failed(err)
		}
		sent += n
	}
	return sent, nil
}

// open makes the client.
func (h *Hub) open() error {
	if h.client != nil {
		return nil
	}
	c, err := azeventhubs.NewProducerClient(h.namespace, h.hub, h.o.Credential, &azeventhubs.ProducerClientOptions{
		ApplicationID: "erfailover", CustomEndpoint: h.o.Endpoint, TLSConfig: h.o.TLS,
		RetryOptions: azeventhubs.RetryOptions{MaxRetries: -1}, // the cursor is what tries again
	})
	h.client = c
	return err
}

// batch sends the messages at the front that are of one group, as many as fit, and
// returns how many those were.
func (h *Hub) batch(ctx context.Context, messages []Message) (int, error) {
	b, err := h.client.NewEventDataBatch(ctx, &azeventhubs.EventDataBatchOptions{PartitionKey: to.Ptr("group/" + messages[0].Group)})
	if err != nil {
		return 0, err
	}
	n := 0
	for n < len(messages) && messages[n].Group == messages[0].Group {
		m := forPrograms(messages[n])
		body, err := encode(cloudEvent(m))
		if err != nil {
			return 0, err
		}
		err = b.AddEventData(&azeventhubs.EventData{Body: body, ContentType: to.Ptr(cloudEventType), MessageID: to.Ptr(m.ID)}, nil)
		if errors.Is(err, azeventhubs.ErrEventDataTooLarge) && n > 0 {
			break
		}
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, h.client.SendEventDataBatch(ctx, b, nil)
}

// forPrograms returns a message without what is for people alone: a hub is read by
// many, and keeps for days what it was told.
func forPrograms(m Message) Message {
	m.Cancel = ""
	return m
}

// failed words an error for the caller.
func (h *Hub) failed(err error) error {
	e := &fault.Error{Op: "publish to the event hub", Target: h.namespace + "/" + h.hub, Kind: fault.Unavailable, Hint: "check the identity's role Azure Event Hubs Data Sender and the network", Err: err}
	var hubs *azeventhubs.Error
	if errors.As(err, &hubs) {
		e.Code = string(hubs.Code)
		if hubs.Code == azeventhubs.ErrorCodeUnauthorizedAccess {
			e.Kind = fault.Denied
		}
	}
	if errors.Is(err, azeventhubs.ErrEventDataTooLarge) {
		e.Kind, e.Hint, e.Err = fault.Invalid, "", fmt.Errorf("one event is larger than the hub takes")
	}
	return e
}

// Close ends the connection.
func (h *Hub) Close(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.client == nil {
		return nil
	}
	c := h.client
	h.client = nil
	return c.Close(ctx)
}
