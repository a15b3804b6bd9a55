package printable

import (
	"net/netip"
	"reflect"
)

// Fields makes every string in v a Line: those in fields of structs, in slices and
// maps, and behind pointers, and the zones of IPv6 addresses. v is a pointer to what was decoded from JSON. Errors and
// other interfaces stay as they are.
func Fields(v any) { fields(reflect.ValueOf(v)) }

func fields(v reflect.Value) {
	if v.CanAddr() {
		switch addr := v.Addr().Interface().(type) {
		case *netip.Addr:
			*addr = withZone(*addr)
			return
		case *netip.AddrPort:
			*addr = netip.AddrPortFrom(withZone(addr.Addr()), addr.Port())
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fields(v.Elem())
		}
	case reflect.String:
		if text := v.String(); v.CanSet() && !clean(text, "") {
			v.SetString(Line(text))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fields(v.Field(i))
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			fields(v.Index(i))
		}
	case reflect.Map:
		mapFields(v)
	}
}

// mapFields replaces the entries of a map, which cannot be changed where they are.
func mapFields(m reflect.Value) {
	for _, key := range m.MapKeys() {
		cleanKey, cleanValue := copyOf(key), copyOf(m.MapIndex(key))
		fields(cleanKey)
		fields(cleanValue)
		m.SetMapIndex(key, reflect.Value{})
		m.SetMapIndex(cleanKey, cleanValue)
	}
}

func copyOf(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	return c
}

func withZone(addr netip.Addr) netip.Addr {
	if addr.Zone() == "" {
		return addr
	}
	return addr.WithZone(Line(addr.Zone()))
}
