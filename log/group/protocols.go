package group

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func protocolsOf(req *kmsg.JoinGroupRequest) []protocol {
	protocols := make([]protocol, 0, len(req.Protocols))
	for _, p := range req.Protocols {
		protocols = append(protocols, protocol{name: p.Name, metadata: p.Metadata})
	}
	return protocols
}

// supports tells whether a member with these protocols could be in the group beside every other member: there is one protocol that all of them speak. self, the
// member's former incarnation, does not count. An empty group takes any.
func (g *group) supports(protocolType string, protocols []protocol, self string) bool {
	if protocolType == "" || len(protocols) == 0 {
		return false
	}
	if g.state == Empty {
		return true
	}
	if g.protocolType != protocolType {
		return false
	}
	return slices.ContainsFunc(protocols, func(p protocol) bool { return g.allSpeak(p.name, self) })
}

func (g *group) allSpeak(name, except string) bool {
	for id, mem := range g.members {
		if _, ok := mem.metadata(name); !ok && id != except {
			return false
		}
	}
	return true
}

// vote chooses the protocol of a generation: every member votes for the first on its list that all members speak. The most votes win, the
// smallest name breaks a tie.
func (g *group) vote() string {
	votes := map[string]int{}
	spoken := map[string]bool{}
	for _, mem := range g.members {
		for _, p := range mem.protocols {
			all, known := spoken[p.name]
			if !known {
				all = g.allSpeak(p.name, "")
				spoken[p.name] = all
			}
			if all {
				votes[p.name]++
				break
			}
		}
	}
	chosen := ""
	for name, count := range votes {
		if best := votes[chosen]; count > best || count == best && name < chosen {
			chosen = name
		}
	}
	return chosen
}

// subscribed is the set of topics that the members of a consumer group want under the chosen protocol. It is not known (false) for another protocol
// type, before a protocol is chosen, or when one member's metadata cannot be read.
func (g *group) subscribed() (map[string]bool, bool) {
	topics := map[string]bool{}
	if len(g.members) == 0 {
		return topics, true
	}
	if g.protocolType != consumerProtocolType || g.protocol == "" {
		return nil, false
	}
	for _, mem := range g.members {
		metadata, _ := mem.metadata(g.protocol)
		wanted, ok := subscription(metadata)
		if !ok {
			return nil, false
		}
		for _, topic := range wanted {
			topics[topic] = true
		}
	}
	return topics, true
}

// isSubscribed errs on the side of yes: a consumer group whose wishes cannot be read may want the topic.
func (g *group) isSubscribed(topic string) bool {
	topics, known := g.subscribed()
	if !known {
		return g.protocolType == consumerProtocolType
	}
	return topics[topic]
}

// subscription reads the topics out of a consumer's metadata, which is the clients' business and may be anything.
func subscription(metadata []byte) (topics []string, ok bool) {
	var m kmsg.ConsumerMemberMetadata
	if err := m.ReadFrom(metadata); err != nil {
		return nil, false
	}
	topics = slices.Clone(m.Topics)
	slices.Sort(topics)
	return slices.Compact(topics), true
}

// sameWish tells whether a static member that comes back wants the topics it wanted before. Metadata other than a consumer's is taken for unchanged: it
// may carry what differs from one incarnation to the next.
func (g *group) sameWish(before, after []byte) bool {
	if g.protocolType != consumerProtocolType {
		return true
	}
	was, wasOK := subscription(before)
	is, isOK := subscription(after)
	return !wasOK || !isOK || slices.Equal(was, is)
}
