package metadata

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"uuid"
)

// Limits of one registration.
const (
	maxEndpoints    = 16
	maxEndpointText = 255 // bytes of a listener's name or host; a rack, too
)

// Registration is a broker that introduces itself at its start.
type Registration struct {
	NodeID      int32
	Incarnation uuid.UUID // made anew at every start of the process: a retry has the same, a restart another
	Endpoints   []Endpoint
	Rack        string
	// Unclean: the broker did not stop cleanly before. Every partition it leads gets a new leader epoch, so that nothing of the lost tail can be
	// taken for what is written from now on.
	Unclean bool
}

// registerBroker is that as a command.
type registerBroker struct{ Registration }

func (*registerBroker) kind() kind { return kindRegisterBroker }

func (c *registerBroker) encode(w *writer) {
	w.int(int64(c.NodeID))
	w.id(c.Incarnation)
	w.string(c.Rack)
	w.bool(c.Unclean)
	encodeEndpoints(w, c.Endpoints)
}

func (c *registerBroker) decode(r *reader) {
	c.NodeID = narrow[int32](r)
	c.Incarnation = r.id()
	c.Rack = r.string()
	c.Unclean = r.bool()
	c.Endpoints = decodeEndpoints(r)
}

func encodeEndpoints(w *writer, endpoints []Endpoint) {
	w.uint(uint64(len(endpoints)))
	for _, e := range endpoints {
		w.string(e.Name)
		w.string(e.Host)
		w.int(int64(e.Port))
	}
}

func decodeEndpoints(r *reader) []Endpoint {
	n := r.count(3)
	if n == 0 {
		return nil
	}
	endpoints := make([]Endpoint, n)
	for i := range endpoints {
		endpoints[i] = Endpoint{Name: r.string(), Host: r.string(), Port: narrow[int32](r)}
	}
	return endpoints
}

func (c *registerBroker) apply(old *Image, at position) (*Image, any) {
	if b, ok := old.Broker(c.NodeID); ok && b.Incarnation == c.Incarnation {
		return old, b.Epoch // a retry whose first answer was lost
	}
	next := old.clone()
	b := Broker{ID: c.NodeID, Epoch: int64(at.index), Incarnation: c.Incarnation, Endpoints: c.Endpoints, Rack: c.Rack}
	place, known := slices.BinarySearchFunc(old.brokers, b.ID, func(b Broker, id int32) int { return cmp.Compare(b.ID, id) })
	next.brokers = slices.Clone(old.brokers)
	if known {
		next.brokers[place] = b
	} else {
		next.brokers = slices.Insert(next.brokers, place, b)
	}
	if c.Unclean {
		next.bumpEpochs(c.NodeID)
	}
	return next, b.Epoch
}

// bumpEpochs begins a new leader epoch in every partition that the node leads.
func (i *Image) bumpEpochs(node int32) {
	changed := make(map[uuid.UUID]*Topic)
	for _, t := range i.byName {
		leads := func(p Partition) bool { return p.Leader == node }
		if !slices.ContainsFunc(t.Partitions, leads) {
			continue
		}
		bumped := *t
		bumped.Partitions = slices.Clone(t.Partitions)
		for at := range bumped.Partitions {
			if p := &bumped.Partitions[at]; p.Leader == node {
				p.LeaderEpoch++
				p.PartitionEpoch++
			}
		}
		changed[t.ID] = &bumped
	}
	if len(changed) > 0 {
		i.replaceTopics(changed)
	}
}

// RegisterBroker registers a broker and returns its epoch, which is larger than every one before. The same incarnation again gets the same epoch.
func (q *Quorum) RegisterBroker(ctx context.Context, reg Registration) (epoch int64, err error) {
	if err := reg.check(); err != nil {
		return 0, err
	}
	reg.Endpoints = slices.Clone(reg.Endpoints)
	result, err := q.propose(ctx, &registerBroker{reg})
	if err != nil {
		return 0, err
	}
	return result.(int64), nil
}

func (reg *Registration) check() error {
	switch {
	case reg.NodeID < 0:
		return fmt.Errorf("%w: node id %d is negative", ErrInvalidRequest, reg.NodeID)
	case reg.Incarnation == uuid.Nil():
		return fmt.Errorf("%w: a registration needs an incarnation id", ErrInvalidRequest)
	case len(reg.Endpoints) > maxEndpoints:
		return fmt.Errorf("%w: %d endpoints, %d are allowed", ErrInvalidRequest, len(reg.Endpoints), maxEndpoints)
	case len(reg.Rack) > maxEndpointText:
		return fmt.Errorf("%w: the rack's name is longer than %d bytes", ErrInvalidRequest, maxEndpointText)
	}
	for _, e := range reg.Endpoints {
		if len(e.Name) > maxEndpointText || len(e.Host) > maxEndpointText || e.Port < 0 || e.Port > math.MaxUint16 {
			return fmt.Errorf("%w: endpoint %q %s:%d", ErrInvalidRequest, e.Name, e.Host, e.Port)
		}
	}
	return nil
}
