// Package recent remembers a bounded number of things: those that were asked for last.
package recent

// Map is a map from names to values that forgets the one that was asked for longest ago. It is not
// safe for concurrent use.
type Map[V any] struct {
	limit   int
	asked   int
	entries map[string]entry[V]
}

type entry[V any] struct {
	value V
	asked int
}

// NewMap returns an empty map for that many entries.
func NewMap[V any](limit int) *Map[V] { return &Map[V]{limit: limit, entries: map[string]entry[V]{}} }

// Get returns the value of a name.
func (m *Map[V]) Get(name string) (V, bool) {
	one, found := m.entries[name]
	if found {
		m.Set(name, one.value)
	}
	return one.value, found
}

// Set remembers a value.
func (m *Map[V]) Set(name string, value V) {
	if _, found := m.entries[name]; !found && len(m.entries) >= m.limit {
		m.forget()
	}
	m.asked++
	m.entries[name] = entry[V]{value, m.asked}
}

func (m *Map[V]) forget() {
	oldest, asked := "", m.asked+1
	for name, one := range m.entries {
		if one.asked < asked {
			oldest, asked = name, one.asked
		}
	}
	delete(m.entries, oldest)
}
