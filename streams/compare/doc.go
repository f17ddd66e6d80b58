// Compare measures a whole application beside Kafka Streams: the CPU of every process that takes part, broker and application,
// for the same topology on the same input, and it checks that both give the same results.
//
//	./compare.sh --anchors FOLDER --rounds 3     # FOLDER holds kafka.sh, which starts Apache Kafka
//
// The two topologies exist twice, in topology.go and in KafkaStreamsApp.java: wordcount (split, repartition, count in memory)
// and join (stream-table join, table in memory). compare.sh starts one broker per arm and alternates the arms. For each run,
// this program writes the input with the same client for both arms, starts the application as a child, waits until the output
// is complete and every offset is committed, and reads the CPU of broker and application from /proc.
//
// Where a case is run with two sizes of input, the difference of the two is the cost without the start of the process and most of
// its warm-up; everything else counts from exec, the JVM's start and compilation included.
//
// It is not a test of either side's limits: one broker, one application process, one thread, everything on loopback, acks in
// the page cache on both sides.
//
// # Goroutines and locks
//
// One goroutine measures, and in the application streams.App has its own. There is no lock.
package main
