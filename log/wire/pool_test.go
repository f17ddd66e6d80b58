package wire

import (
	"bytes"
	"testing"
)

func TestSizeClasses(t *testing.T) {
	for n := 1; n < classSize(poolClasses-1)+100; n += 1 + n/50 {
		class := classFor(n)
		if class < poolClasses && classSize(class) < n || class > 0 && classSize(class-1) >= n {
			t.Fatalf("%d bytes in class %d of %d", n, class, classSize(class))
		}
	}
}

func TestPoolTakesGrownBuffers(t *testing.T) {
	p := &bufferPool{poison: true}
	for _, n := range []int{0, 1, 512, 513, 768, 1000, 5000, 1 << 20, 24 << 20, 25 << 20} {
		for _, grown := range []int{0, 1, 100, 700, 5000} {
			x := p.get(n)
			if len(x.b) != n {
				t.Fatalf("%d bytes wanted, got %d", n, len(x.b))
			}
			x.b = append(x.b, make([]byte, grown)...)
			held := x.b
			p.put(x)
			if want := bytes.Repeat([]byte{poisonByte}, len(held)); !bytes.Equal(held, want) {
				t.Fatal("a buffer that came back is not poisoned")
			}
			if y := p.get(n); len(y.b) != n {
				t.Fatalf("%d bytes wanted, got %d", n, len(y.b))
			}
		}
	}
	p.put(&buffer{b: make([]byte, 3)}) // too small for any class
	p.put(nil)
}
