package broker

import (
	"context"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/wire"
)

// ApiVersions (18), v0 to v4.
//
//	v3 client name and version, features · v4 features whose minimum is 0 (KAFKA-17011, -17492)
//
// A version above ours: a v0 body with error 35 and the ranges (KIP-511). The response header is always v0: wire knows. transaction.version and
// group.version are not advertised, since neither is served.
func (b *Broker) apiVersions(_ context.Context, r *wire.Request) (wire.Reply, error) {
	req, err := decode(r, &kmsg.ApiVersionsRequest{})
	if err != nil {
		return wire.Reply{}, err
	}
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	resp.ApiKeys = b.ranges()
	if req.Version >= 3 && !(softwareName(req.ClientSoftwareName) && softwareName(req.ClientSoftwareVersion)) {
		resp.ErrorCode = kerr.InvalidRequest.Code
		return ready(resp)
	}
	image := b.cfg.Quorum.Image()
	for _, f := range metadata.SupportedFeatures() {
		if f.Min == 0 && req.Version < 4 {
			continue
		}
		out := kmsg.NewApiVersionsResponseSupportedFeature()
		out.Name, out.MinVersion, out.MaxVersion = f.Name, f.Min, f.Max
		resp.SupportedFeatures = append(resp.SupportedFeatures, out)
	}
	features, epoch := image.Features()
	resp.FinalizedFeaturesEpoch = epoch
	for _, f := range features {
		out := kmsg.NewApiVersionsResponseFinalizedFeature()
		out.Name, out.MinVersionLevel, out.MaxVersionLevel = f.Name, f.Level, f.Level
		resp.FinalizedFeatures = append(resp.FinalizedFeatures, out)
	}
	return ready(resp)
}

// apiVersionsUnsupported tells a newer client in v0, which every client reads, what we have.
func (b *Broker) apiVersionsUnsupported(context.Context, *wire.Request) (wire.Reply, error) {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.Version, resp.ErrorCode, resp.ApiKeys = 0, kerr.UnsupportedVersion.Code, b.ranges()
	return wire.Reply{Response: resp, KeepVersion: true}, nil
}

// ranges is the table as clients see it, by key.
func (b *Broker) ranges() []kmsg.ApiVersionsResponseApiKey {
	keys := slices.Sorted(maps.Keys(b.table))
	out := make([]kmsg.ApiVersionsResponseApiKey, len(keys))
	for i, key := range keys {
		out[i] = kmsg.ApiVersionsResponseApiKey{ApiKey: key, MinVersion: b.table[key].advertised, MaxVersion: b.table[key].max}
	}
	return out
}

// softwareName is Kafka's [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?
func softwareName(s string) bool {
	if s == "" || !alphanumeric(s[0]) || !alphanumeric(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if !alphanumeric(s[i]) && s[i] != '-' && s[i] != '.' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
