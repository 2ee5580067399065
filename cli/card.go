package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/events"
	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/report"
	"erfailover/handlers"
)

// cardKey is the document that holds the newest break-glass card. Its name in a
// container is the same, so that anybody who may read the container has it with one
// command, without this program.
const cardKey = "break-glass"

// maxCard is the largest card that is kept as a document, in bytes.
const maxCard = record.MaxBody - 64<<10

// keptCard is that document: lines, so that it reads well as it is.
type keptCard struct {
	Schema int      `json:"schema"`
	State  string   `json:"state"` // hash of the card without its hours: a new one is kept only when this changes
	Card   []string `json:"card"`
}

// cardKeeper writes the break-glass card anew whenever the state has changed: as a
// document of the record, and beside an embedded record as a text file, which can be
// read while the program holds the record or is gone.
type cardKeeper struct {
	views *handlers.Views
	store *groupSaves
	file  string // "" when the record is not a local file

	mu   sync.Mutex
	last string
	seen int64 // saves of groups when the card was last made
}

// groupSaves counts what this process has saved of groups: without such a save the card
// is as it was, and is not made anew.
type groupSaves struct {
	record.Store
	groups atomic.Int64
}

// Save implements record.Store.
func (c *groupSaves) Save(ctx context.Context, doc record.Document) (string, error) {
	etag, err := c.Store.Save(ctx, doc)
	if err == nil && strings.HasPrefix(doc.Key, record.GroupKey("")) {
		c.groups.Add(1)
	}
	return etag, err
}

// cardFile is where the card of an embedded record stands.
func cardFile(bolt string) string {
	if bolt == "" {
		return ""
	}
	return strings.TrimSuffix(bolt, filepath.Ext(bolt)) + "." + cardKey + ".txt"
}

func newCardKeeper(p *parts, saves *groupSaves) *cardKeeper {
	k := &cardKeeper{views: handlers.NewViews(p.engine), store: saves}
	if p.config.Record.Blob == nil {
		k.file = cardFile(p.config.Record.Bolt)
	}
	return k
}

// carded keeps the card after every call of the engine that has saved a group.
// Trouble with the card is logged and stops nothing.
func (p *parts) carded(e handlers.Engine) handlers.Engine {
	keep := func(ctx context.Context) {
		if err := p.cards.keep(ctx); err != nil && ctx.Err() == nil {
			p.log.Warn().Str("event", "card.failed").Str("hint", fault.HintOf(err)).Err(err).Msg("the break-glass card could not be written; the last one stays")
		}
	}
	return handlers.EngineFuncs{
		HandleFunc: func(ctx context.Context, signals []events.Signal) (handlers.Receipt, error) {
			r, err := e.Handle(ctx, signals)
			keep(ctx)
			return r, err
		},
		TickFunc: func(ctx context.Context) error {
			err := e.Tick(ctx)
			keep(ctx)
			return err
		},
	}
}

// keep writes the card if the state differs from that of the last one.
func (k *cardKeeper) keep(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	saves := k.store.groups.Load()
	if saves == k.seen {
		return nil
	}
	card, err := k.views.Card(ctx)
	if err != nil {
		return err
	}
	k.seen = saves
	state := stateOf(card)
	if state == k.last {
		return nil
	}
	text := cleanLines(card.Text())
	if k.file != "" {
		if err := replaceFile(k.file, text); err != nil {
			return err
		}
	}
	if err := k.save(ctx, state, text); err != nil {
		return err
	}
	k.last = state
	return nil
}

// stateOf is a hash of a card without its hours: the state makes the card, not when
// it was looked at.
func stateOf(c report.Card) string {
	c.At = time.Time{}
	groups := make([]report.CardGroup, len(c.Groups))
	copy(groups, c.Groups)
	for i := range groups {
		groups[i].ReadAt = ""
	}
	c.Groups = groups
	sum := sha256.Sum256([]byte(c.Text()))
	return hex.EncodeToString(sum[:12])
}

// save stores the card as a document. Another instance may have been faster with the
// same news.
func (k *cardKeeper) save(ctx context.Context, state, text string) error {
	if len(text) > maxCard {
		return nil // a document cannot hold it; erfailover break-glass makes it from the record
	}
	doc, err := k.store.Load(ctx, cardKey)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	var old keptCard
	if err == nil && json.Unmarshal(doc.Body, &old) == nil && old.State == state {
		return nil
	}
	body, err := json.Marshal(keptCard{record.Schema, state, strings.Split(strings.TrimRight(text, "\n"), "\n")}, json.Deterministic(true), jsontext.Multiline(true))
	if err != nil {
		return err
	}
	_, err = k.store.Save(ctx, record.Document{Key: cardKey, Body: body, ETag: doc.ETag, Nonce: randomID()})
	if errors.Is(err, fault.Conflict) {
		return nil // the next turn looks again
	}
	return err
}
