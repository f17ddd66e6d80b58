package serde

import (
	"encoding"
	jsonv1 "encoding/json"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"reflect"
	"time"
)

// keyChecker is a serde that knows whether its bytes are canonical.
type keyChecker interface{ checkKey() error }

// CheckKeySerde reports why s cannot write keys, or nil. It refuses the float serdes, and JSON of types that [CheckKey]
// refuses; a serde from outside this package is trusted.
func CheckKeySerde[T any](s Serde[T]) error {
	if c, ok := s.(keyChecker); ok {
		return c.checkKey()
	}
	return nil
}

// CheckKey reports why values of T, written by [For], make no canonical keys, or nil. It refuses floats, complex numbers,
// maps, interfaces, functions, channels, raw JSON and time.Time (one instant has many zones), however deep they are. A type
// with a marshal method of its own is trusted.
func CheckKey[T any]() error {
	t := reflect.TypeFor[T]()
	if err := checkKey(t, t.String(), make(map[reflect.Type]bool)); err != nil {
		return fmt.Errorf("cannot use %s as key: %w", t, err)
	}
	return nil
}

// checkKey follows t; path is how t was reached, seen breaks cycles.
func checkKey(t reflect.Type, path string, seen map[reflect.Type]bool) error {
	if seen[t] {
		return nil
	}
	seen[t] = true
	switch t {
	case reflect.TypeFor[time.Time]():
		return fmt.Errorf("%s is a time.Time, whose bytes depend on its zone", path)
	case reflect.TypeFor[jsontext.Value](), reflect.TypeFor[jsonv1.RawMessage]():
		return fmt.Errorf("%s is raw JSON, whose spelling is free", path)
	}
	if t.Kind() != reflect.Interface && marshalsItself(t) {
		return nil
	}
	switch t.Kind() {
	case reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128,
		reflect.Map, reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return fmt.Errorf("%s is a %s, so equal keys may differ in their bytes", path, t.Kind())
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return checkKey(t.Elem(), path+"[]", seen)
	case reflect.Struct:
		for f := range t.Fields() {
			if (!f.IsExported() && !f.Anonymous) || f.Tag.Get("json") == "-" {
				continue
			}
			if err := checkKey(f.Type, path+"."+f.Name, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// marshalsItself reports whether t, or a pointer to it, writes its own JSON.
func marshalsItself(t reflect.Type) bool {
	for _, m := range []reflect.Type{
		reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.MarshalerTo](),
		reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextAppender](),
	} {
		if t.Implements(m) || reflect.PointerTo(t).Implements(m) {
			return true
		}
	}
	return false
}
