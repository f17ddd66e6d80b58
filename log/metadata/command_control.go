package metadata

// takeControl is the first entry of every leader: who leads the quorum. Whoever has applied it has applied everything that was committed before this
// term (elected is not caught up). The first one ever also makes the cluster: its id and the initial feature level.
type takeControl struct {
	node          int32
	clusterID     string // a proposal, used if the cluster has none yet
	metadataLevel int16  // a proposal, too
}

func (*takeControl) kind() kind { return kindTakeControl }

func (c *takeControl) encode(w *writer) {
	w.int(int64(c.node))
	w.string(c.clusterID)
	w.int(int64(c.metadataLevel))
}

func (c *takeControl) decode(r *reader) {
	c.node = narrow[int32](r)
	c.clusterID = r.string()
	c.metadataLevel = narrow[int16](r)
}

func (c *takeControl) apply(old *Image, at position) (*Image, any) {
	next := old.clone()
	next.controller = c.node
	next.controllerTerm = at.term
	if next.clusterID == "" {
		next.clusterID = c.clusterID
		next.features = []Feature{{Name: metadataVersion, Level: c.metadataLevel}}
		next.featuresEpoch = int64(at.index)
	}
	return next, nil
}
