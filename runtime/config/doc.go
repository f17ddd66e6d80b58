// Package config is the one configuration of a node: a struct, the settings behind it as data, and where each value came from.
//
// A setting has one name in three spellings: kafka.listen in the file, MILLRACE_KAFKA_LISTEN in the environment, --kafka-listen as a flag. The
// nearer one counts: flag, then environment, then file, then default. [Load] reports every mistake at once, with the file's line and column, and
// changes nothing when there is one. It reads the file and the given environment; it knows no flags library, starts no goroutine and takes no
// lock.
//
//	cfg, err := config.Load(config.Sources{File: path, Env: os.LookupEnv, Flags: flags})
package config
