package wire

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// kind is the type of a field on the wire.
type kind uint8

const (
	kindFixed  kind = iota // size bytes
	kindString             // copied by kmsg
	kindBytes              // not copied
	kindArray
	kindStruct
)

// field is one line of messages.
type field struct {
	name     string
	kind     kind
	size     int      // kindFixed
	nullable versions // in which it may be null
	in       versions // in which it is there
	tag      int      // -1: not a tagged field
	memory   int64    // of one element in memory, for an array
	element  *field   // of an array
	fields   []*field // of a struct
}

type versions struct{ min, max int16 }

func (v versions) has(version int16) bool { return version >= v.min && version <= v.max }

func allVersions() versions { return versions{0, math.MaxInt16} }
func noVersions() versions  { return versions{1, 0} }

// message is one request in all its versions.
type message struct {
	name         string
	max          int16
	flexibleFrom int16
	programs     []*structure // by version
}

// structure is a struct in one version, ready to be walked.
type structure struct {
	flexible bool
	ops      []op
	tags     []op
	min      int // bytes of its shortest form
}

// op is a field in one version.
type op struct {
	name     string
	kind     kind
	nullable bool
	tag      uint32
	size     int   // kindFixed
	memory   int64 // kindArray: of one element
	min      int   // kindArray: bytes of the shortest element
	element  *op
	of       *structure // kindStruct
}

// schemas are the messages by key.
type schemas struct {
	byKey [maxAPIKeys]*message
}

func newSchemas() *schemas {
	s := &schemas{}
	p := &schemaParser{}
	for _, line := range strings.Split(strings.TrimSpace(messages), "\n") {
		p.line = line
		if !strings.HasPrefix(line, " ") {
			s.finish(p)
			p.start()
			continue
		}
		p.field()
	}
	s.finish(p)
	return s
}

// finish compiles the message that the parser has read.
func (s *schemas) finish(p *schemaParser) {
	m := p.message
	if m == nil {
		return
	}
	for v := int16(0); v <= m.max; v++ {
		m.programs = append(m.programs, compile(p.root.fields, v, v >= m.flexibleFrom))
	}
	s.byKey[p.key] = m
}

// versions are the known keys with all their versions.
func (s *schemas) versions() map[int16]VersionRange {
	all := map[int16]VersionRange{}
	for key, m := range s.byKey {
		if m != nil {
			all[int16(key)] = VersionRange{Max: m.max}
		}
	}
	return all
}

// schemaParser reads messages line by line. Whatever is wrong in them is a bug.
type schemaParser struct {
	line    string
	key     int
	message *message
	root    *field
	stack   []*field       // open structs, by depth
	types   []reflect.Type // kmsg's struct for each
}

func (p *schemaParser) bug(what string) {
	panic("BUG: wire: schema line " + strconv.Quote(p.line) + ": " + what)
}

func (p *schemaParser) start() {
	words := strings.Fields(p.line)
	if len(words) != 4 && len(words) != 6 {
		p.bug("want: KEY NAME max VERSION [flexible VERSION]")
	}
	p.key = p.number(words[0])
	p.message = &message{name: words[1], max: int16(p.number(words[3])), flexibleFrom: neverFlexible}
	if len(words) == 6 {
		p.message.flexibleFrom = int16(p.number(words[5]))
	}
	request := kmsg.RequestForKey(int16(p.key))
	if request == nil || p.key >= maxAPIKeys {
		p.bug("no such API")
	}
	p.root = &field{kind: kindStruct}
	p.stack = []*field{p.root}
	p.types = []reflect.Type{reflect.TypeOf(request).Elem()}
}

func (p *schemaParser) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > math.MaxInt16 {
		p.bug("bad number " + s)
	}
	return n
}

func (p *schemaParser) field() {
	depth := (len(p.line) - len(strings.TrimLeft(p.line, " "))) / 2
	words := strings.Fields(p.line)
	if depth < 1 || depth > len(p.stack) || depth > maxWalkDepth || len(words) < 2 {
		p.bug("bad indentation, or no type")
	}
	p.stack, p.types = p.stack[:depth], p.types[:depth]
	goField, ok := p.types[depth-1].FieldByName(words[0])
	if !ok {
		p.bug("kmsg has no such field")
	}
	f := p.typed(words[1], goField.Type)
	f.name = words[0]
	words = words[2:]
	if len(words) > 0 && words[0] != "tag" {
		f.in = p.versions(words[0])
		words = words[1:]
	}
	if len(words) == 2 {
		f.tag = p.number(words[1])
	}
	parent := p.stack[depth-1]
	parent.fields = append(parent.fields, f)
}

// typed makes a field of a TYPE, and opens the struct if it is or contains one.
func (p *schemaParser) typed(name string, goType reflect.Type) *field {
	f := &field{tag: -1, in: allVersions(), nullable: noVersions()}
	base, null, isNullable := strings.Cut(name, "?")
	if isNullable {
		f.nullable = allVersions()
		if null != "" {
			f.nullable = p.versions(null)
		}
	}
	if element, isArray := strings.CutPrefix(base, "[]"); isArray {
		f.kind = kindArray
		f.memory = int64(goType.Elem().Size())
		f.element = p.typed(element, goType.Elem())
		return f
	}
	switch base {
	case "string":
		f.kind = kindString
	case "bytes":
		f.kind = kindBytes
	case "{}":
		f.kind = kindStruct
		p.stack, p.types = append(p.stack, f), append(p.types, goType)
	default:
		sizes := map[string]int{"bool": 1, "i8": 1, "i16": 2, "i32": 4, "i64": 8, "uuid": 16}
		f.size = sizes[base]
		if f.size == 0 || uintptr(f.size) != goType.Size() {
			p.bug("type " + base + " does not fit " + goType.String())
		}
	}
	return f
}

func (p *schemaParser) versions(s string) versions {
	if from, ok := strings.CutSuffix(s, "+"); ok {
		return versions{int16(p.number(from)), math.MaxInt16}
	}
	from, to, ok := strings.Cut(s, "-")
	if !ok {
		to = from
	}
	return versions{int16(p.number(from)), int16(p.number(to))}
}

// compile makes the structure of one version.
func compile(fields []*field, version int16, flexible bool) *structure {
	s := &structure{flexible: flexible}
	for _, f := range fields {
		if !f.in.has(version) {
			continue
		}
		o := compileField(f, version, flexible)
		if f.tag >= 0 {
			if !flexible {
				panic(fmt.Sprintf("BUG: wire: tagged field %s in a version that is not flexible", f.name))
			}
			s.tags = append(s.tags, o)
			continue
		}
		s.ops = append(s.ops, o)
		s.min += o.shortest(flexible)
	}
	if flexible {
		s.min++ // no tagged fields
	}
	return s
}

func compileField(f *field, version int16, flexible bool) op {
	o := op{name: f.name, kind: f.kind, size: f.size, nullable: f.nullable.has(version), memory: f.memory}
	if f.tag >= 0 {
		o.tag = uint32(f.tag)
	}
	if f.kind == kindArray {
		element := compileField(f.element, version, flexible)
		element.name = f.name
		o.element = &element
		o.min = max(element.shortest(flexible), 1)
	}
	if f.kind == kindStruct {
		o.of = compile(f.fields, version, flexible)
	}
	return o
}

// shortest is the least number of bytes that the field takes.
func (o *op) shortest(flexible bool) int {
	switch {
	case o.kind == kindFixed:
		return o.size
	case o.kind == kindStruct:
		return o.of.min
	case flexible:
		return 1
	case o.kind == kindString:
		return 2
	}
	return 4
}
