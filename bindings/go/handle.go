// handle.go - C objects that many goroutines use, and that are freed once, after the last use.

package mlreg

import (
	"runtime"
	"sync"
)

// noCopy has go vet complain of a copy of what holds it, under which the
// collector could close.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// A handle owns one C object. A use keeps it from being freed, be it by Close
// or by the garbage collector: that makes runtime.KeepAlive after each call
// unnecessary, and a Close beside a running call harmless.
type handle[P comparable] struct {
	what string
	free func(P)

	mu     sync.Mutex // guards what follows; never held over a call into C
	object P
	uses   int
	closed bool
}

// newHandle makes the handle of object and ties it to its Go owner: where
// Close is forgotten, the collector closes.
func newHandle[P comparable, T any](owner *T, what string, object P, free func(P)) *handle[P] {
	h := &handle[P]{what: what, free: free, object: object}
	runtime.AddCleanup(owner, func(h *handle[P]) { h.close() }, h)
	return h
}

// use gives the C object, to be followed by done; it fails once closed.
func (h *handle[P]) use() (P, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		var none P
		return none, closed(h.what)
	}
	h.uses++
	return h.object, nil
}

// done ends a use.
func (h *handle[P]) done() {
	h.mu.Lock()
	h.uses--
	last := h.closed && h.uses == 0
	h.mu.Unlock()
	if last {
		h.free(h.object)
	}
}

// close refuses further uses and frees the object after the last one. It does
// not wait, so that a callback inside a use may close too.
func (h *handle[P]) close() {
	h.mu.Lock()
	last := !h.closed && h.uses == 0
	h.closed = true
	h.mu.Unlock()
	if last {
		h.free(h.object)
	}
}

// isClosed says whether close was called.
func (h *handle[P]) isClosed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}
