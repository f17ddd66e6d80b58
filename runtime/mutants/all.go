package mutants

// Mutant is one broken rule.
type Mutant struct {
	ID      string // as in the project's list of faults
	Rule    string // what is broken
	File    string // relative to the module
	Old     string // stands exactly once in File
	New     string
	Package string // of the test
	Test    string // must fail
}

// All are the rules of the log that must have a test.
func All() []Mutant {
	return []Mutant{
		{
			ID: "M01", Rule: "an ack in mode fsync comes after the sync",
			File: "log/partition/flush.go", Old: "if err := p.Sync(); err != nil {\n\t\t\treturn &syncError{err}", New: "if err := error(nil); err != nil {\n\t\t\treturn &syncError{err}",
			Package: "./log/partition", Test: "TestCrashAfterEveryCall",
		},
		{
			ID: "M01b", Rule: "a failed sync is not ignored",
			File: "log/partition/flush.go", Old: "if err := p.Sync(); err != nil {\n\t\t\treturn &syncError{err}", New: "if err := p.Sync(); err != nil {\n\t\t\terr = nil",
			Package: "./log/partition", Test: "TestFailedSyncIsFinal|TestNothingIsAckedAfterAFailedSync",
		},
		{
			ID: "M02", Rule: "a failed sync is not tried again",
			File: "log/partition/flush.go", Old: "if err := p.Sync(); err != nil {\n\t\t\treturn &syncError{err}", New: "if err := p.Sync(); err != nil && p.Sync() != nil {\n\t\t\treturn &syncError{err}",
			Package: "./log/partition", Test: "TestFailedSyncIsFinal|TestNothingIsAckedAfterAFailedSync",
		},
		{
			ID: "M03", Rule: "the directory is synced after a segment is made",
			File: "log/partition/flush.go", Old: "if entries {", New: "if entries && false {",
			Package: "./log/partition", Test: "TestCrashAfterEveryCall",
		},
		{
			ID: "M04", Rule: "recovery checks the CRC",
			File: "log/segment/recover.go", Old: "if err := b.CheckStored(); err != nil {\n\t\treturn Header{}, err\n\t}", New: "",
			Package: "./log/partition", Test: "TestFlippedBitAboveTheMarkEndsTheLog|TestTornBatchIsCut",
		},
		{
			ID: "M05", Rule: "what ends below the durable mark is damage, not a tail",
			File: "log/segment/recover.go", Old: "if err == nil && length < mark.Position {\n\t\terr = &CorruptError", New: "if err == nil && length < mark.Position {\n\t\tmark = Mark{Offset: s.base}\n\t}\n\tif false {\n\t\terr = &CorruptError",
			Package: "./log/partition", Test: "TestFileThatEndsBelowTheMarkIsDamage",
		},
		{
			ID: "M05b", Rule: "a damaged file is kept",
			File: "log/partition/log.go", Old: "l.dir.cfg.FS.Rename(file, file+quarantineSuffix)", New: "l.dir.cfg.FS.Remove(file)",
			Package: "./log/partition", Test: "TestFlippedHeaderBelowTheMarkTakesThePartitionOffline|TestFlippedBitBelowTheMarkIsNeverServed",
		},
		{
			ID: "M06", Rule: "an ack comes after the high watermark has passed the batch",
			File: "log/partition/log.go", Old: "return l.Durable()\n}\n\n// Epoch", New: "return l.End()\n}\n\n// Epoch",
			Package: "./log/partition", Test: "TestCrashAfterEveryCall",
		},
		{
			ID: "M12", Rule: "five batches of a producer are remembered",
			File: "log/partition/producers.go", Old: "rememberedBatches = 5", New: "rememberedBatches = 1",
			Package: "./log/partition", Test: "TestProducerRemembersFiveBatches",
		},
		{
			ID: "M23", Rule: "a pooled buffer goes back after the write",
			File: "log/wire/writeloop.go", Old: "if err := c.out.write(); err != nil {\n\t\treturn err\n\t}", New: "for _, p := range c.out.replies {\n\t\tif p.frame != nil {\n\t\t\tc.server.pool.put(p.frame)\n\t\t\tp.frame = nil\n\t\t}\n\t}\n\tif err := c.out.write(); err != nil {\n\t\treturn err\n\t}",
			Package: "./log/wire", Test: "TestBufferGivenBackOnlyAfterTheWrite",
		},
		{
			ID: "M24", Rule: "no directory is removed because metadata does not know it",
			File: "log/broker/leaders.go", Old: "if !image.Deleted(id.Topic) {", New: "if false {",
			Package: "./log/broker", Test: "TestUnknownDirectoriesAreKept",
		},
	}
}
