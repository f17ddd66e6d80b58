package metadata

import (
	"context"
	"fmt"
)

// metadataVersion is the one feature whose level is kept so far. Others follow when they are real: an advertised level is a promise.
const metadataVersion = "metadata.version"

// The levels of metadata.version that this program can run at: Kafka 4.0 and 4.2.
const (
	MinMetadataVersion = 25
	MaxMetadataVersion = 29
)

// SupportedFeatures are the ranges of levels that this node supports.
func SupportedFeatures() []FeatureRange {
	return []FeatureRange{{Name: metadataVersion, Min: MinMetadataVersion, Max: MaxMetadataVersion}}
}

// FeatureRange is one supported feature.
type FeatureRange struct {
	Name     string
	Min, Max int16
}

// setFeature raises the level of a feature.
type setFeature struct {
	name  string
	level int16
}

func (*setFeature) kind() kind { return kindSetFeature }

func (c *setFeature) encode(w *writer) {
	w.string(c.name)
	w.int(int64(c.level))
}

func (c *setFeature) decode(r *reader) {
	c.name = r.string()
	c.level = narrow[int16](r)
}

func (c *setFeature) apply(old *Image, at position) (*Image, any) {
	features := make([]Feature, 0, len(old.features)+1)
	placed := false
	for _, f := range old.features {
		switch {
		case f.Name == c.name && f.Level > c.level:
			return old, fmt.Errorf("%w: %s is at %d and cannot go back to %d", ErrInvalidUpdateVersion, c.name, f.Level, c.level)
		case f.Name == c.name && f.Level == c.level:
			return old, nil
		case f.Name == c.name:
			f.Level = c.level
			placed = true
		case f.Name > c.name && !placed:
			features = append(features, Feature{Name: c.name, Level: c.level})
			placed = true
		}
		features = append(features, f)
	}
	if !placed {
		features = append(features, Feature{Name: c.name, Level: c.level})
	}
	next := old.clone()
	next.features = features
	next.featuresEpoch = int64(at.index)
	return next, nil
}

// SetFeature raises a feature to a level. Levels never go down: ErrInvalidUpdateVersion.
func (q *Quorum) SetFeature(ctx context.Context, name string, level int16) error {
	for _, f := range SupportedFeatures() {
		if f.Name == name && level >= f.Min && level <= f.Max {
			result, err := q.propose(ctx, &setFeature{name: name, level: level})
			if err != nil {
				return err
			}
			refused, _ := result.(error)
			return refused
		}
	}
	return fmt.Errorf("%w: %s has no level %d here", ErrInvalidUpdateVersion, name, level)
}
