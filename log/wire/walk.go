package wire

import "fmt"

// What decoding costs in memory beyond the structs, as kmsg does it.
const (
	stringOverhead   = 16  // of a string that may be null: it is behind a pointer
	allocationRound  = 16  // an allocation is rounded up by about this
	firstTagMemory   = 400 // the map that holds unknown tagged fields of one struct
	unknownTagMemory = 64  // each entry of it
)

// walker goes through one request. It reads what kmsg would read, allocates nothing, and stops at the first byte that
// breaks a limit.
type walker struct {
	r      reader
	memory int64 // that decoding will take
	limit  int64
}

// walk checks a body and returns the memory that decoding it will take at most.
func (s *schemas) walk(key, version int16, body []byte) (memory int64, err error) {
	var m *message
	if key >= 0 && key < maxAPIKeys {
		m = s.byKey[key]
	}
	if m == nil || version < 0 || version > m.max {
		return 0, fmt.Errorf("%w: no schema for version %d of API key %d", ErrMalformed, version, key)
	}
	w := walker{r: newReader(body), limit: MemoryPerFrameByte*int64(len(body)) + MemoryPerRequest}
	w.structure(m.programs[version])
	return w.memory, w.r.end()
}

// charge counts memory before it would be allocated.
func (w *walker) charge(bytes int64) {
	if w.memory += bytes; w.memory > w.limit {
		w.r.fail("it would take more than %d bytes of memory", w.limit)
	}
}

func (w *walker) structure(s *structure) {
	for i := range s.ops {
		if w.r.err != nil {
			return
		}
		w.value(&s.ops[i], s.flexible)
	}
	if s.flexible {
		w.tags(s)
	}
}

func (w *walker) value(o *op, flexible bool) {
	switch o.kind {
	case kindFixed:
		w.r.span(o.size)
	case kindString, kindBytes:
		w.text(o, flexible)
	case kindStruct:
		w.structure(o.of)
	case kindArray:
		n := w.r.arrayLen(flexible, o.min)
		if n < 0 && !o.nullable {
			w.r.fail("%s is null", o.name)
			return
		}
		if n <= 0 {
			return
		}
		w.charge(int64(n)*o.memory + allocationRound)
		for ; n > 0 && w.r.err == nil; n-- {
			w.value(o.element, flexible)
		}
	}
}

func (w *walker) text(o *op, flexible bool) {
	n := w.r.length(flexible, o.kind == kindString)
	if n < 0 {
		if !o.nullable {
			w.r.fail("%s is null", o.name)
		}
		return
	}
	w.r.span(n)
	if o.kind == kindString {
		w.charge(int64(n) + allocationRound)
		if o.nullable {
			w.charge(stringOverhead)
		}
	}
}

// tags walks the tagged fields of a struct: known ones must be exactly as long as they say.
func (w *walker) tags(s *structure) {
	if len(w.r.src) > 0 && w.r.src[0] == 0 {
		w.r.src = w.r.src[1:]
		return
	}
	unknown := 0
	w.r.tags(func(tag uint32, data []byte) bool {
		for i := range s.tags {
			if o := &s.tags[i]; o.tag == tag {
				w.tagged(o, data)
				return true
			}
		}
		if unknown++; unknown == 1 {
			w.charge(firstTagMemory)
		}
		w.charge(unknownTagMemory)
		return false
	})
}

func (w *walker) tagged(o *op, data []byte) {
	inner := walker{r: newReader(data), memory: w.memory, limit: w.limit}
	inner.r.tagCount = w.r.tagCount
	inner.value(o, true)
	if err := inner.r.end(); err != nil {
		w.r.fail("tagged field %s: %v", o.name, err)
	}
	w.memory, w.r.tagCount = inner.memory, inner.r.tagCount
}
