package streams

import (
	"context"
	"slices"

	"github.com/millrace/millrace/streams/internal/engine"
	"github.com/millrace/millrace/streams/serde"
)

// Functions see null only if their type has a value for it: a pointer ([serde.Nullable]) or a []byte. Over other types a null
// value is not shown to them, and each verb says what happens to it; a null key reads as its type's zero value.

// Filter keeps the records for which f is true. A null value that f cannot see is not kept.
func (s *Stream[K, V]) Filter(f func(key K, value V) bool, opts ...Option) *Stream[K, V] {
	s.b.given(f)
	return s.filter(true, engine.Always(func(k K, v V) (bool, error) { return f(k, v), nil }), opts)
}

// FilterNot drops the records for which f is true. A null value that f cannot see is kept.
func (s *Stream[K, V]) FilterNot(f func(key K, value V) bool, opts ...Option) *Stream[K, V] {
	s.b.given(f)
	return s.filter(false, engine.Always(func(k K, v V) (bool, error) { return f(k, v), nil }), opts)
}

// TryFilter is Filter with a function that can fail; see [OnError].
func (s *Stream[K, V]) TryFilter(f func(ctx context.Context, key K, value V) (bool, error), opts ...Option) *Stream[K, V] {
	s.b.given(f)
	return s.filter(true, func(ctx context.Context) func(K, V) (bool, error) {
		return func(k K, v V) (bool, error) { return f(ctx, k, v) }
	}, opts)
}

func (s *Stream[K, V]) filter(want bool, f engine.Maker[func(K, V) (bool, error)], opts []Option) *Stream[K, V] {
	_, n, ok := s.child("KSTREAM-FILTER-", opts)
	if !ok {
		return &Stream[K, V]{b: s.b}
	}
	return derive(s, n, s.key, s.value, engine.Filter(s.out, n, s.key, s.value, want, f), s.rekeyed)
}

// MapValues replaces each value by f's result. A null value that f cannot see stays null.
func (s *Stream[K, V]) MapValues[R any](f func(value V) R, opts ...Option) *Stream[K, R] {
	s.b.given(f)
	return mapValues(s, false, engine.Always(func(_ K, v V) (R, error) { return f(v), nil }), opts)
}

// MapValuesWithKey is MapValues with a function that sees the key.
func (s *Stream[K, V]) MapValuesWithKey[R any](f func(key K, value V) R, opts ...Option) *Stream[K, R] {
	s.b.given(f)
	return mapValues(s, true, engine.Always(func(k K, v V) (R, error) { return f(k, v), nil }), opts)
}

// TryMapValues is MapValuesWithKey with a function that can fail; see [OnError].
func (s *Stream[K, V]) TryMapValues[R any](f func(ctx context.Context, key K, value V) (R, error), opts ...Option) *Stream[K, R] {
	s.b.given(f)
	return mapValues(s, true, func(ctx context.Context) func(K, V) (R, error) {
		return func(k K, v V) (R, error) { return f(ctx, k, v) }
	}, opts)
}

func mapValues[K, V, R any](s *Stream[K, V], needKey bool, f engine.Maker[func(K, V) (R, error)], opts []Option) *Stream[K, R] {
	o, n, ok := s.child("KSTREAM-MAPVALUES-", opts)
	if !ok {
		return &Stream[K, R]{b: s.b}
	}
	result := coderOr(s.b, o.value, "ValueSerde", byType[R](s.b))
	return derive(s, n, s.key, result, engine.MapValues(s.out, n, s.key, s.value, result, needKey, f), s.rekeyed)
}

// FlatMapValues replaces each record by one for each value of f's result, with the same key. A null value that f cannot see
// gives none.
func (s *Stream[K, V]) FlatMapValues[R any](f func(value V) []R, opts ...Option) *Stream[K, R] {
	s.b.given(f)
	return flatMapValues(s, false, engine.Always(func(_ K, v V) ([]R, error) { return f(v), nil }), opts)
}

// TryFlatMapValues is FlatMapValues with a function that sees the key and can fail; see [OnError].
func (s *Stream[K, V]) TryFlatMapValues[R any](f func(ctx context.Context, key K, value V) ([]R, error), opts ...Option) *Stream[K, R] {
	s.b.given(f)
	return flatMapValues(s, true, func(ctx context.Context) func(K, V) ([]R, error) {
		return func(k K, v V) ([]R, error) { return f(ctx, k, v) }
	}, opts)
}

func flatMapValues[K, V, R any](s *Stream[K, V], needKey bool, f engine.Maker[func(K, V) ([]R, error)], opts []Option) *Stream[K, R] {
	o, n, ok := s.child("KSTREAM-FLATMAPVALUES-", opts)
	if !ok {
		return &Stream[K, R]{b: s.b}
	}
	result := coderOr(s.b, o.value, "ValueSerde", byType[R](s.b))
	return derive(s, n, s.key, result, engine.FlatMapValues(s.out, n, s.key, s.value, result, needKey, f), s.rekeyed)
}

// SelectKey gives each record a new key. A record whose value is null and not visible to f is dropped.
func (s *Stream[K, V]) SelectKey[K2 any](f func(key K, value V) K2, key serde.Serde[K2], opts ...Option) *Stream[K2, V] {
	s.b.given(f)
	return selectKey(s, engine.Always(func(k K, v V) (K2, error) { return f(k, v), nil }), key, opts)
}

// TrySelectKey is SelectKey with a function that can fail; see [OnError].
func (s *Stream[K, V]) TrySelectKey[K2 any](f func(ctx context.Context, key K, value V) (K2, error), key serde.Serde[K2], opts ...Option) *Stream[K2, V] {
	s.b.given(f)
	return selectKey(s, func(ctx context.Context) func(K, V) (K2, error) {
		return func(k K, v V) (K2, error) { return f(ctx, k, v) }
	}, key, opts)
}

func selectKey[K, V, K2 any](s *Stream[K, V], f engine.Maker[func(K, V) (K2, error)], key serde.Serde[K2], opts []Option) *Stream[K2, V] {
	_, n, ok := s.child("KSTREAM-KEY-SELECT-", opts)
	if !ok {
		return &Stream[K2, V]{b: s.b}
	}
	kc, ok := keyCoder(s.b, key)
	if !ok {
		return &Stream[K2, V]{b: s.b}
	}
	return derive(s, n, kc, s.value, engine.SelectKey(s.out, n, s.key, s.value, kc, f), true)
}

// Map replaces each record by another. A record whose value is null and not visible to f is dropped.
func (s *Stream[K, V]) Map[K2, V2 any](f func(key K, value V) (K2, V2), key serde.Serde[K2], opts ...Option) *Stream[K2, V2] {
	s.b.given(f)
	return flatMap(s, "KSTREAM-MAP-", engine.Always(func(k K, v V, emit func(K2, V2) error) error { return emit(f(k, v)) }), key, opts)
}

// TryMap is Map with a function that can fail; see [OnError].
func (s *Stream[K, V]) TryMap[K2, V2 any](f func(ctx context.Context, key K, value V) (K2, V2, error), key serde.Serde[K2], opts ...Option) *Stream[K2, V2] {
	s.b.given(f)
	return flatMap(s, "KSTREAM-MAP-", func(ctx context.Context) func(K, V, func(K2, V2) error) error {
		return func(k K, v V, emit func(K2, V2) error) error {
			k2, v2, err := f(ctx, k, v)
			if err != nil {
				return err
			}
			return emit(k2, v2)
		}
	}, key, opts)
}

// FlatMap replaces each record by those that f yields. A record whose value is null and not visible to f is dropped.
func (s *Stream[K, V]) FlatMap[K2, V2 any](f func(key K, value V, yield func(K2, V2)), key serde.Serde[K2], opts ...Option) *Stream[K2, V2] {
	s.b.given(f)
	return flatMap(s, "KSTREAM-FLATMAP-", engine.Always(func(k K, v V, emit func(K2, V2) error) error {
		var first error
		f(k, v, func(k2 K2, v2 V2) {
			if first == nil {
				first = emit(k2, v2)
			}
		})
		return first
	}), key, opts)
}

func flatMap[K, V, K2, V2 any](s *Stream[K, V], prefix string, f engine.Maker[func(K, V, func(K2, V2) error) error], key serde.Serde[K2], opts []Option) *Stream[K2, V2] {
	o, n, ok := s.child(prefix, opts)
	if !ok {
		return &Stream[K2, V2]{b: s.b}
	}
	kc, ok := keyCoder(s.b, key)
	if !ok {
		return &Stream[K2, V2]{b: s.b}
	}
	vc := coderOr(s.b, o.value, "ValueSerde", byType[V2](s.b))
	return derive(s, n, kc, vc, engine.FlatMap(s.out, n, s.key, s.value, kc, vc, f), true)
}

// Peek calls f for each record and passes it on unchanged. It is not called for a null value it cannot see.
func (s *Stream[K, V]) Peek(f func(key K, value V), opts ...Option) *Stream[K, V] {
	s.b.given(f)
	return s.peek("KSTREAM-PEEK-", engine.Always(func(k K, v V) error { f(k, v); return nil }), opts)
}

// ForEach calls f for each record, and ends the stream. It is not called for a null value it cannot see.
func (s *Stream[K, V]) ForEach(f func(key K, value V), opts ...Option) {
	s.b.given(f)
	s.peek("KSTREAM-FOREACH-", engine.Always(func(k K, v V) error { f(k, v); return nil }), opts)
}

// TryForEach is ForEach with a function that can fail; see [OnError].
func (s *Stream[K, V]) TryForEach(f func(ctx context.Context, key K, value V) error, opts ...Option) {
	s.b.given(f)
	s.peek("KSTREAM-FOREACH-", func(ctx context.Context) func(K, V) error {
		return func(k K, v V) error { return f(ctx, k, v) }
	}, opts)
}

func (s *Stream[K, V]) peek(prefix string, f engine.Maker[func(K, V) error], opts []Option) *Stream[K, V] {
	_, n, ok := s.child(prefix, opts)
	if !ok {
		return &Stream[K, V]{b: s.b}
	}
	return derive(s, n, s.key, s.value, engine.Peek(s.out, n, s.key, s.value, f), s.rekeyed)
}

// Merge interleaves two streams in processing order.
func (s *Stream[K, V]) Merge(other *Stream[K, V], opts ...Option) *Stream[K, V] {
	o := apply(opts)
	failed := &Stream[K, V]{b: s.b}
	if !s.ok() || !other.ok() {
		return failed
	}
	if s.b != other.b {
		s.b.failf("cannot merge streams of two builders")
		return failed
	}
	if s.name == other.name {
		s.b.failf("cannot merge stream %s with itself", s.name)
		return failed
	}
	n := engine.Node{Name: s.b.nameOr(or(o.node, o.as), "KSTREAM-MERGE-"), OnError: o.onError}
	if !s.b.addProcessor(n.Name, s.name, other.name) {
		return failed
	}
	out := engine.Merge(n, s.key, s.value,
		engine.MergeParent[K, V]{Port: s.out, Key: s.key, Value: s.value},
		engine.MergeParent[K, V]{Port: other.out, Key: other.key, Value: other.value})
	m := derive(s, n, s.key, s.value, out, s.rekeyed || other.rekeyed)
	m.sources = union(s.sources, other.sources)
	return m
}

func union(a, b []string) []string {
	all := append([]string(nil), a...)
	for _, name := range b {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}
