// Package record is Kafka's record batch v2 as a view on bytes: parse, check, patch, iterate, build, compress.
//
//	 0                   8         12        16  17        21    23        27
//	+-------------------+---------+---------+---+---------+-----+---------+
//	| base offset       | length  | leader  | 2 | CRC32C  |attri|last     |
//	|                   | from 12 | epoch   |   | from 21 |butes|delta    |
//	+-------------------+---------+---------+---+---------+-----+---------+
//	27                  35                  43                  51    53        57        61
//	+-------------------+-------------------+-------------------+-----+---------+---------+---- - -
//	| base timestamp    | max timestamp     | producer id       |epoch|base     |record   |records
//	|                   |                   |                   |     |sequence |count    |
//	+-------------------+-------------------+-------------------+-----+---------+---------+---- - -
//
// All of that is big endian. Base offset and leader epoch lie outside the CRC, so that the log patches them in place.
// Attributes: bits 0–2 codec, 3 log append time, 4 transactional, 5 control, 6 delete horizon (KIP-534).
//
// The records follow, compressed as a whole if there is a codec. All numbers in them are zigzag varints:
//
//	length | 0 | timestamp delta | offset delta | key length, key | value length, value | header count | headers
//	header = key length, key | value length, value                 (a length of -1 is null; a header's key has none)
//
// # What it refuses to be
//
// It knows no file, no topic and no limit of a topic: sizes, timestamps and producer state are the log's matter
// (package partition). It does not read message formats v0 and v1. It does not copy: a Batch, and the records of an
// uncompressed one, live in the bytes that they were cut from.
//
// # Goroutines and locks
//
// It starts no goroutine. A Batch may be read by many goroutines, and written (Set…) by one that is alone with it.
// Decompression is bounded for the process: one batch per core at a time (eight at most), and others wait their turn.
// No turn is held while records are walked over, so walks may be nested. Its output is bounded by the limit that the
// caller gives, its memory besides by MaxZstdWindowBytes per turn.
//
// # Example
//
//	for rest := frame; len(rest) > 0; {
//		batch, tail, err := record.Split(rest)
//		if err != nil {
//			return err
//		}
//		if err := batch.Check(); err != nil {
//			return err // *record.InvalidError
//		}
//		batch.SetBaseOffset(next)
//		next, rest = batch.NextOffset(), tail
//	}
package record
