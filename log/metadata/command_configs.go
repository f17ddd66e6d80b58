package metadata

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"uuid"
)

// Op is what happens to one key of a configuration; the values are Kafka's (KIP-339).
type Op int8

const (
	Set      Op = 0
	Delete   Op = 1
	Append   Op = 2 // to a list: what it does not contain yet
	Subtract Op = 3 // from a list
)

// ConfigOp changes one key.
type ConfigOp struct {
	Key   string
	Op    Op
	Value string // unused with Delete
}

// configOp is one on its way: base is what an append or a subtraction starts from if the key is not set on the resource itself.
type configOp struct {
	ConfigOp
	base string
}

// alteration is the changes of one resource. A topic is named by id, so that a change never hits one that was made anew under the old name.
type alteration struct {
	resource Resource // TopicResource: Name is empty
	topic    uuid.UUID
	replace  bool // forget everything that was set before
	ops      []configOp
}

// alterConfigs changes resources, each or not, for itself. The values were checked by who proposed them; append and subtract are done here, so that
// two of them at once both count.
type alterConfigs struct{ alterations []alteration }

func (*alterConfigs) kind() kind { return kindAlterConfigs }

func (c *alterConfigs) encode(w *writer) {
	w.uint(uint64(len(c.alterations)))
	for _, a := range c.alterations {
		w.int(int64(a.resource.Type))
		w.string(a.resource.Name)
		w.id(a.topic)
		w.bool(a.replace)
		w.uint(uint64(len(a.ops)))
		for _, op := range a.ops {
			w.string(op.Key)
			w.int(int64(op.Op))
			w.string(op.Value)
			w.string(op.base)
		}
	}
}

// minAlteration is the size of the smallest alteration: type, name, id, replace, number of ops.
const minAlteration = 1 + 1 + 16 + 1 + 1

func (c *alterConfigs) decode(r *reader) {
	c.alterations = make([]alteration, r.count(minAlteration))
	for i := range c.alterations {
		a := &c.alterations[i]
		a.resource = Resource{Type: narrow[ResourceType](r), Name: r.string()}
		a.topic = r.id()
		a.replace = r.bool()
		a.ops = make([]configOp, r.count(4))
		for k := range a.ops {
			a.ops[k] = configOp{ConfigOp: ConfigOp{Key: r.string(), Op: narrow[Op](r), Value: r.string()}, base: r.string()}
		}
	}
}

// apply returns a []error, one per alteration.
func (c *alterConfigs) apply(old *Image, _ position) (*Image, any) {
	errs := make([]error, len(c.alterations))
	topics := make(map[uuid.UUID]*Topic)
	var configs map[Resource]map[string]string
	for i, a := range c.alterations {
		if a.resource.Type != TopicResource {
			if configs == nil {
				configs = maps.Clone(old.configs)
			}
			if configs == nil {
				configs = make(map[Resource]map[string]string)
			}
			if changed := alter(configs[a.resource], a.replace, a.ops); len(changed) > 0 {
				configs[a.resource] = changed
			} else {
				delete(configs, a.resource)
			}
			continue
		}
		t := topics[a.topic]
		if t == nil {
			t, _ = old.TopicByID(a.topic)
		}
		if t == nil {
			errs[i] = fmt.Errorf("%w: id %s", ErrUnknownTopic, FormatID(a.topic))
			continue
		}
		if changed := t.withConfig(alter(t.Config, a.replace, a.ops)); changed != t {
			topics[a.topic] = changed
		}
	}
	if len(topics) == 0 && configs == nil {
		return old, errs
	}
	next := old.clone()
	if configs != nil {
		next.configs = configs
	}
	if len(topics) > 0 {
		next.replaceTopics(topics)
	}
	return next, errs
}

// alter is old with the changes made; old is left as it is. It is nil if nothing is set any more.
func alter(old map[string]string, replace bool, ops []configOp) map[string]string {
	next := make(map[string]string, len(old)+len(ops))
	if !replace {
		maps.Copy(next, old)
	}
	for _, op := range ops {
		old, set := next[op.Key]
		if !set {
			old = op.base
		}
		switch op.Op {
		case Set:
			next[op.Key] = op.Value
		case Delete:
			delete(next, op.Key)
		case Append:
			next[op.Key] = appendList(old, op.Value)
		case Subtract:
			next[op.Key] = subtractList(old, op.Value)
		}
	}
	if len(next) == 0 {
		return nil
	}
	return next
}

// splitList is the elements of a comma-separated list, without the blanks around them.
func splitList(list string) []string {
	if strings.TrimSpace(list) == "" {
		return nil
	}
	parts := strings.Split(list, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

func appendList(list, more string) string {
	elements := splitList(list)
	for _, e := range splitList(more) {
		if !slices.Contains(elements, e) {
			elements = append(elements, e)
		}
	}
	return strings.Join(elements, ",")
}

func subtractList(list, less string) string {
	gone := splitList(less)
	return strings.Join(slices.DeleteFunc(splitList(list), func(e string) bool { return slices.Contains(gone, e) }), ",")
}
