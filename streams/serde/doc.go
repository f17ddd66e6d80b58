// Package serde turns values into bytes and back.
//
// A [Serde] is a value without state, safe for any number of goroutines. The ready ones write what Java's Kafka serdes
// write: UTF-8 strings, big-endian integers and floats, one byte for a bool. [JSON] takes any type; [For] picks one by type.
// It is not a schema registry, and no format of its own.
//
// # Null
//
// Kafka's null is no value of most types. The engine carries it beside the value and calls no serde for it, unless
// [AcceptsNull] says that the serde has a value for it: [Bytes] (a nil slice) and [Nullable] (a nil pointer).
//
// # Keys
//
// The bytes of a key are its identity: equal keys must give equal bytes. [CheckKey] refuses types whose JSON does not
// promise that.
//
// The package starts no goroutine and takes no lock.
//
//	type Order struct{ ID string; Cents int64 }
//	orders := serde.JSON[Order]()
//	b, err := orders.Append(nil, Order{"a", 995})
//	o, err := orders.Decode(b)
package serde
