package engine

import (
	"fmt"
	"io"
)

// Print writes each record to w as one line: "[label]: key, value".
func Print[K, V any](p *Port[Record[K, V]], n Node, key *Coder[K], value *Coder[V], w io.Writer, label string) {
	p.To(n.Name, func(b *Build) Next[Record[K, V]] {
		s := b.site(n)
		return func(r *Record[K, V]) error {
			s.here()
			k, err := shown(key, &r.Key)
			if err != nil {
				return s.failed(Decoding, err)
			}
			v, err := shown(value, &r.Value)
			if err != nil {
				return s.failed(Decoding, err)
			}
			if _, err := fmt.Fprintf(w, "[%s]: %v, %v\n", label, k, v); err != nil {
				return s.failed(Processing, err)
			}
			return nil
		}
	})
}

// shown is a field as it is printed.
func shown[T any](c *Coder[T], f *Field[T]) (any, error) {
	if f.IsNull() {
		return "null", nil
	}
	v, err := c.Get(f)
	return v, err
}
