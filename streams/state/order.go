package state

import "slices"

// An order keeps entry numbers sorted: blocks of at most maxBlock numbers, each block and the list of blocks in order. An insert
// searches twice by halves and moves at most one block; a tree would need pointers or its own arena for the same price.
type order struct {
	blocks [][]uint32 // none is empty
}

const maxBlock = 512

// position is a place in an order; it is valid until the next insert or remove.
type position struct{ block, at int }

// fill makes o of sorted numbers.
func (o *order) fill(sorted []uint32) {
	o.blocks = o.blocks[:0]
	for part := range slices.Chunk(sorted, maxBlock/2) {
		o.blocks = append(o.blocks, append(make([]uint32, 0, maxBlock), part...))
	}
}

// search returns the first position whose number is not before the target: before says so of one number.
func (o *order) search(before func(number uint32) bool) position {
	lo, hi := 0, len(o.blocks)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if block := o.blocks[mid]; before(block[len(block)-1]) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(o.blocks) {
		return position{lo, 0}
	}
	block, first := o.blocks[lo], 0
	last := len(block) - 1
	for first < last {
		mid := int(uint(first+last) / 2)
		if before(block[mid]) {
			first = mid + 1
		} else {
			last = mid
		}
	}
	return position{lo, first}
}

// at returns the number at p, or none at the end.
func (o *order) at(p position) uint32 {
	if p.block < 0 || p.block >= len(o.blocks) {
		return none
	}
	return o.blocks[p.block][p.at]
}

func (o *order) next(p position) position {
	if p.at+1 < len(o.blocks[p.block]) {
		return position{p.block, p.at + 1}
	}
	return position{p.block + 1, 0}
}

// previous returns the position before p, which may be the end; before the first it has no number.
func (o *order) previous(p position) position {
	if p.at > 0 {
		return position{p.block, p.at - 1}
	}
	if p.block == 0 {
		return position{-1, 0}
	}
	return position{p.block - 1, len(o.blocks[p.block-1]) - 1}
}

// insert puts number at p.
func (o *order) insert(p position, number uint32) {
	if p.block == len(o.blocks) {
		if p.block == 0 {
			o.blocks = append(o.blocks, make([]uint32, 0, maxBlock))
		} else {
			p.block--
		}
		p.at = len(o.blocks[p.block])
	}
	block := o.blocks[p.block]
	if len(block) == maxBlock {
		p = o.split(p)
		block = o.blocks[p.block]
	}
	o.blocks[p.block] = slices.Insert(block, p.at, number)
}

// split halves the block of p, or, where p is at the very end, starts a new block: ascending inserts leave full blocks behind.
func (o *order) split(p position) position {
	block := o.blocks[p.block]
	cut := maxBlock / 2
	if p.block == len(o.blocks)-1 && p.at == maxBlock {
		cut = maxBlock
	}
	tail := append(make([]uint32, 0, maxBlock), block[cut:]...)
	o.blocks[p.block] = block[:cut]
	o.blocks = slices.Insert(o.blocks, p.block+1, tail)
	if p.at >= cut && (p.at > cut || cut == maxBlock) {
		return position{p.block + 1, p.at - cut}
	}
	return p
}

// remove takes out the number at p.
func (o *order) remove(p position) {
	block := slices.Delete(o.blocks[p.block], p.at, p.at+1)
	o.blocks[p.block] = block
	if len(block) == 0 {
		o.blocks = slices.Delete(o.blocks, p.block, p.block+1)
	}
}

// reset empties the order.
func (o *order) reset() {
	clear(o.blocks)
	o.blocks = o.blocks[:0]
}
