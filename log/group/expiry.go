package group

// expireOffsets drops offsets that nobody wants any more (KIP-211), and groups of which nothing is left: see expired.
func (m *Machine) expireOffsets() {
	m.timers.arm(m.sweep, m.now+m.cfg.RetentionCheck)
	now := m.wallMillis()
	for _, g := range m.sortedGroups() {
		left := len(g.offsets)
		for _, key := range m.expired(g, now) {
			if len(m.out.Records) >= maxExpiredPerTick {
				m.timers.arm(m.sweep, m.now) // the rest follows
				return
			}
			m.append(offsetTombstone(g.name, key))
			left--
		}
		if left == 0 && g.state == Empty && g.stored && len(g.pending) == 0 {
			m.append(metadataTombstone(g.name))
		}
	}
}

// expired lists the offsets of a group whose retention has passed. It counts
//   - from the commit, in a group that never had members;
//   - from the commit or from when the last member left, whatever is later, in an Empty group;
//   - from the commit, for the topics that no member wants, in a Stable group of consumers;
//   - never while a group rebalances, as its wishes are not known then (KAFKA-13636).
func (m *Machine) expired(g *group, now int64) []topicPartition {
	retention := m.cfg.Retention.Milliseconds()
	if retention < 0 {
		return nil
	}
	since := int64(0)
	wanted := map[string]bool{}
	switch g.state {
	case Empty:
		since = g.since
	case Stable:
		topics, known := g.subscribed()
		if !known {
			return nil
		}
		wanted = topics
	default:
		return nil
	}
	var keys []topicPartition
	for _, key := range g.sortedOffsets() {
		if base := max(g.offsets[key].committed, since); !wanted[key.topic] && now-base >= retention {
			keys = append(keys, key)
		}
	}
	return keys
}
