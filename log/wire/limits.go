package wire

import "time"

// Start values of the limits. A zero in Limits means the value here.
const (
	MaxProduceFrameBytes = 100 << 20 // one Produce request
	MaxFrameBytes        = 16 << 20  // one request of any other API
	MinFrameBytes        = 8         // key, version, correlation id: less is no request

	MaxConnections       = 16_000 // and never above 75 % of the descriptors the process may open
	ReservedConnections  = 64     // of these, for internal listeners only
	MaxConnectionsPerIP  = 2_000
	ConnectionRate       = 1_000 // new connections per second; the rest waits in the listen queue
	ConnectionBurst      = 1_000
	ConnectionRatePerIP  = 100 // and per IP; the rest is closed
	ConnectionBurstPerIP = 200
	IdleTimeout          = 10 * time.Minute
	FrameTimeout         = 10 * time.Second // for a frame, plus its size ÷ FrameBytesPerSecond
	FrameBytesPerSecond  = 64 << 10
	WriteTimeout         = 30 * time.Second // without progress
	MaxInFlight          = 16               // requests of one connection that are read and not answered
	MaxInFlightBytes     = 128 << 20        // and the bytes of their frames
	MaxUnsentBytes       = 16 << 20         // encoded replies of one connection that wait in memory
	MaxClientIDBytes     = 256
	MaxArrayElements     = 1_000_000
	MaxTaggedFields      = 10_000
	MaxUnknownTagBytes   = 128 << 10
	MemoryPerFrameByte   = 4       // decoded bytes that each byte of a frame may cost
	MemoryPerRequest     = 1 << 20 // and on top
	DefaultBudgetBytes   = 512 << 20
	ReservedFrameBytes   = 64 << 10 // frames of membership and administration up to here may use the reserve
	maxTrackedIPs        = 65_536   // IPs whose rate is remembered
	logPeriod            = time.Minute
	readBufferBytes      = 4 << 10   // per connection
	maxBatchBytes        = 1 << 20   // replies that leave in one write
	maxBatchParts        = 64        // slices of one write
	regionChunkBytes     = 256 << 10 // piece of a region that is copied through memory
	sendfileChunkBytes   = 4 << 20   // piece of a region given to one sendfile
	deadlineSlack        = time.Second
	maxAPIKeys           = 128
	maxWalkDepth         = 8
)

// Limits bounds what clients can make a server do. The zero value means the constants of this package; a negative
// value means no limit where that makes sense (rates and counts of connections).
type Limits struct {
	ProduceFrameBytes int64
	FrameBytes        int64

	Connections          int
	ReservedConnections  int
	ConnectionsPerIP     int
	ConnectionRate       float64 // per second
	ConnectionBurst      int
	ConnectionRatePerIP  float64
	ConnectionBurstPerIP int
	RateLimitLoopback    bool // loopback is exempt from the rate per IP unless this is set

	IdleTimeout  time.Duration
	FrameTimeout time.Duration // plus size ÷ FrameBytesPerSecond
	WriteTimeout time.Duration

	InFlight      int
	InFlightBytes int64
	UnsentBytes   int64

	// BudgetBytes is for the frames and decoded requests of all connections together: 25 % of GOMEMLIMIT, or
	// DefaultBudgetBytes if there is none. A quarter of it is reserved for membership and administration.
	BudgetBytes int64
}
