package wire

import (
	"math/bits"
	"sync"
)

// Size classes: 512 B, 768 B, 1 KiB, 1.5 KiB … 24 MiB. What is larger is allocated and left to the garbage collector.
const (
	smallestClassBits = 9
	poolClasses       = 32
	poisonByte        = 0xDB
)

// buffer is a pooled slice. It has exactly one owner, who puts it back once and not before the last byte of it was
// written: CVE-2026-35554 was a pooled buffer that another request got while a write was still under way.
type buffer struct {
	b []byte
}

// bufferPool hands out buffers by size class.
type bufferPool struct {
	poison  bool // fill what comes back, so that a use after put shows in tests
	classes [poolClasses]sync.Pool
}

func classSize(class int) int {
	size := 1 << (smallestClassBits + class/2)
	return size + class%2*size/2
}

// classFor is the smallest class whose buffers hold n bytes; it may be poolClasses or more.
func classFor(n int) int {
	if n <= 1<<smallestClassBits {
		return 0
	}
	power := bits.Len(uint(n - 1)) // 2^(power-1) < n <= 2^power
	class := (power - smallestClassBits) * 2
	if n <= classSize(class-1) {
		return class - 1
	}
	return class
}

// get returns a buffer with len(b) == n and any content.
func (p *bufferPool) get(n int) *buffer {
	class := classFor(n)
	if class >= poolClasses {
		return &buffer{b: make([]byte, n)}
	}
	if x, ok := p.classes[class].Get().(*buffer); ok {
		x.b = x.b[:n]
		return x
	}
	return &buffer{b: make([]byte, n, classSize(class))}
}

// put takes a buffer back. Its slice may have grown since get.
func (p *bufferPool) put(x *buffer) {
	if x == nil {
		return
	}
	all := x.b[:cap(x.b)]
	if p.poison {
		for i := range all {
			all[i] = poisonByte
		}
	}
	class := classFor(len(all))
	if class >= poolClasses || classSize(class) > len(all) {
		class-- // grown by append: good for the class below
	}
	if class < 0 || class >= poolClasses {
		return
	}
	x.b = all
	p.classes[class].Put(x)
}
