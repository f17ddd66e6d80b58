package metadata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"uuid"
)

// How entries and snapshots are written. Integers are varints (unsigned, or zigzag where they may be negative), a string or a list is its length
// and then its content, a map is a list of pairs in the order of its keys: one value has one encoding, so that equal states have equal bytes.
// JSON was weighed and left: three times the size for a thousand topics, and it takes an unknown field in silence where we must stop.

var errTruncated = errors.New("it ends early")

// writer appends to b.
type writer struct{ b []byte }

func (w *writer) uint(v uint64)  { w.b = binary.AppendUvarint(w.b, v) }
func (w *writer) int(v int64)    { w.b = binary.AppendVarint(w.b, v) }
func (w *writer) id(v uuid.UUID) { w.b = append(w.b, v[:]...) }

func (w *writer) string(v string) {
	w.uint(uint64(len(v)))
	w.b = append(w.b, v...)
}

func (w *writer) bool(v bool) {
	if v {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

func (w *writer) nodes(v []int32) {
	w.uint(uint64(len(v)))
	for _, n := range v {
		w.int(int64(n))
	}
}

func (w *writer) strings(m map[string]string) {
	w.uint(uint64(len(m)))
	if len(m) == 0 {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		w.string(k)
		w.string(m[k])
	}
}

// reader takes from b. After the first error every call returns zero values; look at err once, at the end.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail(errTruncated)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail(errTruncated)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// narrow reads an integer that must fit into T.
func narrow[T ~int8 | ~int16 | ~int32](r *reader) T {
	v := r.int()
	if int64(T(v)) != v {
		r.fail(fmt.Errorf("%d is out of range", v))
		return 0
	}
	return T(v)
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail(errTruncated)
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) id() (id uuid.UUID) {
	copy(id[:], r.take(uint64(len(id))))
	return id
}

func (r *reader) string() string { return string(r.take(r.uint())) }

func (r *reader) bool() bool {
	b := r.take(1)
	if len(b) == 0 {
		return false
	}
	if b[0] > 1 {
		r.fail(fmt.Errorf("%d is not a boolean", b[0]))
	}
	return b[0] == 1
}

// count reads the length of a list whose elements are at least size bytes each, so that no count makes us allocate more than the input is long.
func (r *reader) count(size int) int {
	n := r.uint()
	if n > uint64(len(r.b)/size) {
		r.fail(errTruncated)
		return 0
	}
	return int(n)
}

func (r *reader) nodes() []int32 {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	v := make([]int32, n)
	for i := range v {
		v[i] = narrow[int32](r)
	}
	return v
}

func (r *reader) strings() map[string]string {
	n := r.count(2)
	if n == 0 {
		return nil
	}
	m := make(map[string]string, n)
	last := ""
	for i := range n {
		k := r.string()
		if i > 0 && k <= last {
			r.fail(fmt.Errorf("key %q is out of order", k))
			return nil
		}
		m[k] = r.string()
		last = k
	}
	return m
}

// end reports the first error, or bytes that are left over.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("%d bytes are left over", len(r.b))
	}
	return r.err
}
