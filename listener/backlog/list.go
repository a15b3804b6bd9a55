package backlog

// list is a doubly linked list through the entries themselves. The zero value
// is empty.
type list[V any] struct {
	front, back *Entry[V]
	length      int
}

func (l *list[V]) pushBack(e *Entry[V]) {
	e.prev, e.next = l.back, nil
	if l.back == nil {
		l.front = e
	} else {
		l.back.next = e
	}
	l.back = e
	l.length++
}

func (l *list[V]) remove(e *Entry[V]) {
	if e.prev == nil {
		l.front = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		l.back = e.prev
	} else {
		e.next.prev = e.prev
	}
	e.prev, e.next = nil, nil
	l.length--
}
