package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/wire"
)

// DescribeConfigs (32), v1 to v4: v1 sources and synonyms, v3 types and documentation. Topics and brokers.
func (b *Broker) describeConfigs(_ context.Context, r *wire.Request) (wire.Reply, error) {
	req, err := decode(r, &kmsg.DescribeConfigsRequest{})
	if err != nil {
		return wire.Reply{}, err
	}
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	image := b.cfg.Quorum.Image()
	seen := make(map[metadata.Resource]bool, len(req.Resources)) // who asks twice is answered once: the answer is far longer than the question
	for _, in := range req.Resources {
		resource := metadata.Resource{Type: metadata.ResourceType(in.ResourceType), Name: in.ResourceName}
		if seen[resource] {
			continue
		}
		seen[resource] = true
		out := kmsg.NewDescribeConfigsResponseResource()
		out.ResourceType, out.ResourceName = in.ResourceType, in.ResourceName
		entries, err := b.cfg.Quorum.DescribeConfigs(image, resource, in.ConfigNames)
		out.ErrorCode, out.ErrorMessage = code(err), message(err)
		for _, e := range entries {
			out.Configs = append(out.Configs, describeConfig(req, e))
		}
		resp.Resources = append(resp.Resources, out)
	}
	return ready(resp)
}

func describeConfig(req *kmsg.DescribeConfigsRequest, e metadata.ConfigEntry) kmsg.DescribeConfigsResponseResourceConfig {
	out := kmsg.NewDescribeConfigsResponseResourceConfig()
	out.Name, out.Value, out.ReadOnly = e.Name, e.Value, e.ReadOnly
	out.Source, out.ConfigType = kmsg.ConfigSource(e.Source), kmsg.ConfigType(e.Type)
	out.IsDefault = e.Source == metadata.SourceDefault
	if req.IncludeSynonyms {
		for _, s := range e.Synonyms {
			out.ConfigSynonyms = append(out.ConfigSynonyms, kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{
				Name: s.Name, Value: s.Value, Source: kmsg.ConfigSource(s.Source),
			})
		}
	}
	if req.IncludeDocumentation {
		doc := e.Doc
		out.Documentation = &doc
	}
	return out
}
