package broker

import (
	"context"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/wire"
)

// DescribeCluster (60), v0 to v2.
//
//	v1 endpoint type: brokers (1) only, controllers (2) have no listener of their own · v2 fenced brokers on request
const (
	endpointTypeBrokers     = 1
	endpointTypeControllers = 2
)

func (b *Broker) describeCluster(_ context.Context, r *wire.Request) (wire.Reply, error) {
	req, err := decode(r, &kmsg.DescribeClusterRequest{})
	if err != nil {
		return wire.Reply{}, err
	}
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	image := b.cfg.Quorum.Image()
	resp.ClusterID, resp.ControllerID, resp.ClusterAuthorizedOperations = image.ClusterID(), image.Controller(), math.MinInt32
	resp.EndpointType = endpointTypeBrokers
	if req.Version >= 1 && req.EndpointType != endpointTypeBrokers {
		resp.EndpointType = req.EndpointType
		resp.ErrorCode = kerr.UnsupportedEndpointType.Code
		if req.EndpointType == endpointTypeControllers {
			resp.ErrorCode = kerr.MismatchedEndpointType.Code
		}
		return ready(resp)
	}
	for _, broker := range image.Brokers() {
		if broker.Fenced && !req.IncludeFencedBrokers {
			continue
		}
		out := kmsg.NewDescribeClusterResponseBroker()
		out.NodeID, out.IsFenced = broker.ID, broker.Fenced
		out.Host, out.Port = advertised(r, broker)
		if broker.Rack != "" {
			rack := broker.Rack
			out.Rack = &rack
		}
		resp.Brokers = append(resp.Brokers, out)
	}
	return ready(resp)
}
