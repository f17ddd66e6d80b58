package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/wire"
)

// IncrementalAlterConfigs (44), v0 and v1: set, delete, and append and subtract on lists, for topics and brokers. A resource changes whole or not at all.
func (b *Broker) incrementalAlterConfigs(_ context.Context, r *wire.Request) (wire.Reply, error) {
	req, err := decode(r, &kmsg.IncrementalAlterConfigsRequest{})
	if err != nil {
		return wire.Reply{}, err
	}
	return wire.Reply{Later: func(ctx context.Context) (wire.Reply, error) {
		ctx, cancel := context.WithTimeout(ctx, maxAdminWait)
		defer cancel()
		resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
		changes := make([]metadata.ConfigChange, len(req.Resources))
		for i, in := range req.Resources {
			changes[i].Resource = metadata.Resource{Type: metadata.ResourceType(in.ResourceType), Name: in.ResourceName}
			for _, c := range in.Configs {
				op := metadata.ConfigOp{Op: metadata.Op(c.Op), Key: c.Name}
				if c.Value != nil {
					op.Value = *c.Value
				}
				changes[i].Ops = append(changes[i].Ops, op)
			}
		}
		for i, err := range b.cfg.Quorum.AlterConfigs(ctx, changes, req.ValidateOnly) {
			out := kmsg.NewIncrementalAlterConfigsResponseResource()
			out.ResourceType, out.ResourceName = req.Resources[i].ResourceType, req.Resources[i].ResourceName
			out.ErrorCode, out.ErrorMessage = code(err), message(err)
			resp.Resources = append(resp.Resources, out)
		}
		return ready(resp)
	}}, nil
}
