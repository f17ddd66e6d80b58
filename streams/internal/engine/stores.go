package engine

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/streams/state"
	"github.com/millrace/millrace/streams/topology"
)

// taskStore is a store with its description. Exactly one of the typed fields is set; log is the same store again.
type taskStore struct {
	desc       *topology.Store
	log        logged
	keyValue   state.KeyValue
	window     state.Window
	session    state.Session
	duplicates state.Duplicates
	timed      state.Timed // nil if the store knows no time
}

// logged is a store that is a cache of its changelog: see state.Logged.
type logged interface {
	DirtyBytes() int64
	Flush(emit func(key, value []byte, ts int64) error) error
	Restore(key, value []byte, ts int64) error
}

func (t *Task) addStore(desc *topology.Store) error {
	if t.byName[desc.Name] != nil {
		return nil
	}
	s, err := newStore(desc)
	if err != nil {
		return err
	}
	t.stores = append(t.stores, s)
	t.byName[desc.Name] = s
	return nil
}

func newStore(desc *topology.Store) (*taskStore, error) {
	s := &taskStore{desc: desc}
	var made any
	switch desc.Kind {
	case topology.KeyValue, topology.Buffer:
		s.keyValue = state.NewKeyValue()
		made = s.keyValue
	case topology.Window:
		s.window = state.NewWindow(desc.Retention)
		made = s.window
	case topology.Session:
		s.session = state.NewSession(desc.Retention)
		made = s.session
	case topology.Duplicates:
		s.duplicates = state.NewDuplicates(desc.Retention)
		made = s.duplicates
	default:
		return nil, fmt.Errorf("cannot make store %s: unknown kind %d", desc.Name, desc.Kind)
	}
	s.log = made.(logged)
	s.timed, _ = made.(state.Timed)
	return s, nil
}

// store returns the store a node was connected with.
func (b *Build) store(name string) *taskStore {
	s := b.task.byName[name]
	if s == nil {
		panic(fmt.Sprintf("BUG: store %s is not part of task %s", name, b.task.id))
	}
	return s
}

// changelog is the full name of a store's changelog topic.
func (t *Task) changelog(s *taskStore) string {
	return t.cfg.ApplicationID + "-" + s.desc.Name + "-changelog"
}

// Changelogs maps the full names of the changelog topics to the stores behind them, whose names Restore takes.
func (t *Task) Changelogs() map[string]string {
	names := make(map[string]string)
	for _, s := range t.stores {
		if s.desc.Logged {
			names[t.changelog(s)] = s.desc.Name
		}
	}
	return names
}

// Restore applies one changelog record to a store, before Start. Value nil is a tombstone; key and value are copied.
func (t *Task) Restore(store string, key, value []byte, ts int64) error {
	s := t.byName[store]
	if s == nil {
		return fmt.Errorf("cannot restore store %s: task %s has no such store", store, t.id)
	}
	if err := s.log.Restore(key, value, ts); err != nil {
		return fmt.Errorf("cannot restore store %s of task %s: %w", store, t.id, err)
	}
	return nil
}

// Dirty reports whether Flush would write something.
func (t *Task) Dirty() bool {
	return slices.ContainsFunc(t.stores, func(s *taskStore) bool { return s.log.DirtyBytes() > 0 })
}

// Flush writes what changed in the stores since the last Flush to their changelogs, store by store in the topology's order,
// what is there before tombstones. The outputs must be in the log before: see DESIGN.md, "Commit".
func (t *Task) Flush() error {
	for _, s := range t.stores {
		out := Output{Topic: t.changelog(s), Partition: t.id.Partition}
		err := s.log.Flush(func(key, value []byte, ts int64) error {
			if !s.desc.Logged {
				return nil
			}
			out.Key, out.Value, out.Timestamp = key, value, ts
			return t.cfg.Collector.Send(&out)
		})
		if err != nil {
			return fmt.Errorf("cannot flush store %s of task %s: %w", s.desc.Name, t.id, err)
		}
	}
	return nil
}
