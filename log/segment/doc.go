// Package segment is one segment of a log on disk: a file of record batches in Kafka's format and its two sparse indexes.
//
// A segment of base offset 368769 is three files:
//
//	00000000000000368769.log        batches v2, one after the other; while it is written to, a preallocated tail of zeros follows
//	00000000000000368769.index      offset → position, one entry every index interval
//	00000000000000368769.timeindex  timestamp → offset
//
// The package knows nothing of partitions, acks or producers. It refuses to decide what damage means: [OpenRecovered] says where the whole
// batches end and whether that is below the durable mark, its caller cuts, quarantines or gives up.
//
// It owns no goroutine. One writer at a time calls Append; one maintainer at a time (which may run beside the writer) calls Trim, Sync,
// WriteIndexes and Settle; readers call anything else at any time and take no lock but, for sealed segments, that of the [Cache]
// of open files. Files are counted by reference: what a reader holds stays readable whatever is removed meanwhile.
//
//	s := segment.Create(cfg, 0)
//	err := s.Append(batch, header)
//	err = s.Sync()
//	at, err := s.Find(17)
package segment
