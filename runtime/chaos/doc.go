// Package chaos kills real processes and attacks real sockets, and checks what is left. It has no code of the product.
//
// The short forms run with every `go test`: three kills. `make chaos` sets MILLRACE_CHAOS=long: twenty kills of the node under load, ten of a
// worker, ten thousand hostile connections. A process killed with kill -9 keeps what the kernel holds, so these tests prove the protocol and the
// restart; that an ack in mode fsync means on disk is proved by the crash script of log/partition, which cuts the power.
package chaos
