package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"go.yaml.in/yaml/v4"
)

// DefaultFile is the configuration file that is read, if it is there, when none is named.
const DefaultFile = "millrace.yaml"

// MaxFileBytes bounds the configuration file.
const MaxFileBytes = 1 << 20

// Sources are what a configuration is made from.
type Sources struct {
	// File is the path of the configuration file; "" is DefaultFile, which may be missing.
	File string
	// Env looks an environment variable up; nil is an empty environment.
	Env func(name string) (string, bool)
	// Flags are the flags that were given, by name without dashes.
	Flags map[string]string
}

// Load reads, checks and merges the sources. The error joins every mistake: [*Problem] with its place.
func Load(src Sources) (*Config, error) {
	fromFile, broker, problems := readFile(src.File)
	c := &Config{Broker: make(map[string]string)}
	for _, s := range Settings() {
		v := Value{Key: s.Key, Text: s.Default, Origin: FromDefault}
		if f, ok := fromFile[s.Key]; ok {
			v = f
		}
		if src.Env != nil {
			if text, ok := src.Env(s.Env()); ok {
				v = Value{s.Key, text, FromEnv, s.Env()}
			}
		}
		if text, ok := src.Flags[s.Flag()]; ok {
			v = Value{s.Key, text, FromFlag, "--" + s.Flag()}
		}
		if s.Check != nil {
			if err := s.Check(v.Text); err != nil {
				problems = append(problems, &Problem{Place: v.Place, Key: s.Key, Text: err.Error()})
			}
		}
		c.Values = append(c.Values, v)
	}
	for _, name := range slices.Sorted(maps.Keys(broker)) {
		c.Broker[name] = broker[name].Text
		c.Values = append(c.Values, broker[name])
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	c.fill()
	return c, nil
}

// readFile flattens the file into values by key; the broker section stays by Kafka's names.
func readFile(path string) (values, broker map[string]Value, problems []error) {
	optional := path == ""
	if optional {
		path = DefaultFile
	}
	data, err := os.ReadFile(path)
	switch {
	case optional && errors.Is(err, os.ErrNotExist):
		return nil, nil, nil
	case err != nil:
		return nil, nil, []error{fmt.Errorf("cannot read the configuration file: %w", err)}
	case len(data) > MaxFileBytes:
		return nil, nil, []error{&Problem{Place: path, Text: fmt.Sprintf("the file has %d bytes, the limit is %d", len(data), MaxFileBytes)}}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, nil, []error{&Problem{Place: path, Text: err.Error()}}
	}
	r := fileReader{path: path, values: make(map[string]Value), broker: make(map[string]Value)}
	if len(doc.Content) == 1 {
		r.mapping("", doc.Content[0])
	}
	return r.values, r.broker, r.problems
}

// fileReader walks the document.
type fileReader struct {
	path           string
	values, broker map[string]Value
	problems       []error
}

func (r *fileReader) place(n *yaml.Node) string {
	return fmt.Sprintf("%s:%d:%d", r.path, n.Line, n.Column)
}

func (r *fileReader) problem(n *yaml.Node, key, format string, args ...any) {
	r.problems = append(r.problems, &Problem{Place: r.place(n), Key: key, Text: fmt.Sprintf(format, args...)})
}

// mapping reads one level; prefix is its own key with a dot, or "".
func (r *fileReader) mapping(prefix string, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		r.problem(n, prefix, "expected a mapping of keys to values")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		key := prefix + name.Value
		into := r.values
		if prefix == BrokerSection+"." {
			into, key = r.broker, name.Value
		}
		_, known := Find(key)
		switch {
		case value.Kind == yaml.MappingNode && (key == BrokerSection || isSection(key)):
			r.mapping(key+".", value)
		case prefix != BrokerSection+"." && !known:
			r.problem(name, key, "there is no such setting%s", didYouMean(key))
		case value.Kind != yaml.ScalarNode:
			r.problem(value, key, "expected a single value")
		case into[key].Text != "":
			r.problem(name, key, "stands twice; first at %s", into[key].Place)
		default:
			into[key] = Value{key, value.Value, FromFile, r.place(value)}
		}
	}
}

// isSection says whether settings are nested below key.
func isSection(key string) bool {
	return slices.ContainsFunc(Settings(), func(s Setting) bool { return len(s.Key) > len(key) && s.Key[:len(key)+1] == key+"." })
}
