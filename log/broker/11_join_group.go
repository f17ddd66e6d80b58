package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/wire"
)

// JoinGroup (11), v0 to v9.
//
//	v1 rebalance timeout · v4 MEMBER_ID_REQUIRED (KIP-394) · v5 static members (KIP-345) · v9 SkipAssignment (KIP-814)
//
// Minimum 0, not 4.0's 2: librdkafka looks for it (KAFKA-19444). A parked join ends with its connection.
func (b *Broker) joinGroup(_ context.Context, r *wire.Request) (wire.Reply, error) {
	return b.inGroups(r, &kmsg.JoinGroupRequest{})
}
