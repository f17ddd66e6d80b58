package engine

import "slices"

// sliding windows [start, start+size], both ends included, are made per record: one that ends with it, and one that begins
// right after it as soon as it holds another record. The rules and their order are Kafka's; see the tests named after
// trap 7.
type sliding[K, V, A any] struct {
	windowed[K, V, A]
	found []slidingRow // of the record in work
}

type slidingRow struct {
	start int64
	row
}

func (n *sliding[K, V, A]) take(r *Record[K, V]) error {
	if r.Value.IsNull() {
		n.drop(DropNullValue)
		return nil
	}
	if ok, err := n.begin(r); !ok {
		return err
	}
	if r.Time+n.Size < n.close {
		n.drop(DropLate)
		return nil
	}
	n.find()
	if r.Time < n.Size {
		return n.takeEarly()
	}
	return n.takeUsual()
}

// find copies the windows that the record may touch, the latest first: each write makes what the store handed out invalid.
func (n *sliding[K, V, A]) find() {
	n.found = n.found[:0]
	for start, v := range n.windows.FetchBackward(n.kb, max(0, n.at-2*n.Size), n.at+1) {
		n.found = append(n.found, slidingRow{start, row{n.scratch().Copy(v.Bytes), v.Timestamp}})
	}
}

func (n *sliding[K, V, A]) exists(start int64) bool {
	return slices.ContainsFunc(n.found, func(w slidingRow) bool { return w.start == start })
}

// takeUsual updates the windows around the record from the latest to the earliest, then makes the previous record's right
// window, this record's left one and its right one.
func (n *sliding[K, V, A]) takeUsual() error {
	var left, right row
	var hasLeft, hasRight bool
	previous := int64(-1) // time of the record before this one; -1: none that matters
scan:
	for _, w := range n.found {
		end := w.start + n.Size
		switch {
		case w.start == n.at+1:
			hasRight = true
		case end > n.at:
			if right.bytes == nil {
				right = w.row
			}
			if err := n.fold(Window{w.start, end}, w.row); err != nil {
				return err
			}
		case end == n.at:
			hasLeft = true
			if err := n.fold(Window{w.start, end}, w.row); err != nil {
				return err
			}
			if w.at >= n.at {
				return nil // a record of this very time made all windows there can be
			}
			previous = w.at
		default:
			left, previous = w.row, w.at
			break scan
		}
	}
	if previous >= 0 && !n.exists(previous+1) && previous+1+n.Size >= n.at {
		if err := n.fold(Window{previous + 1, previous + 1 + n.Size}, row{}); err != nil {
			return err
		}
	}
	if !hasLeft {
		if previous < 0 || previous < n.at-n.Size {
			left = row{}
		}
		if err := n.fold(Window{n.at - n.Size, n.at}, left); err != nil {
			return err
		}
	}
	if !hasRight && right.bytes != nil && right.at > n.at {
		return n.makeRight(right)
	}
	return nil
}

// takeEarly is for records before the first full window: the windows that would begin before 0 are one, [0, size].
func (n *sliding[K, V, A]) takeEarly() error {
	var combined, right row
	var hasRight bool
	previous := int64(-1)
	for _, w := range slices.Backward(n.found) {
		switch {
		case w.start == 0:
			combined = w.row
			if w.at < n.at {
				previous = w.at
			}
		case w.start <= n.at:
			right = w.row
			if err := n.fold(Window{w.start, w.start + n.Size}, w.row); err != nil {
				return err
			}
		case w.start == n.at+1:
			hasRight = true
		}
	}
	if right.bytes == nil {
		right = combined
	}
	if !hasRight && right.bytes != nil && right.at > n.at {
		if err := n.makeRight(right); err != nil {
			return err
		}
	}
	if previous >= 0 && !n.exists(previous+1) {
		if err := n.fold(Window{previous + 1, previous + 1 + n.Size}, row{}); err != nil {
			return err
		}
	}
	return n.fold(Window{0, n.Size}, combined)
}

// makeRight makes the window that begins right after the record. It holds what the windows around it held before.
func (n *sliding[K, V, A]) makeRight(of row) error {
	n.u.New.SetBytes(of.bytes)
	return n.put(Window{n.at + 1, n.at + 1 + n.Size}, row{}, of.at)
}
