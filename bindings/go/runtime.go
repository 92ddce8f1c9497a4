// runtime.go - what several sessions share.

package mlreg

/*
#include "bridge.h"
*/
import "C"

// RuntimeOptions are the limits of a [Runtime]. 0 is the default, negative is
// none or no limit.
type RuntimeOptions struct {
	MaxThreads     int   // for one call; default: cores, 4 to 8; negative: none but the caller's
	MaxConnections int   // open at once over all hosts; default 100
	MemoryBytes    int64 // for bytes in flight; default 32 MiB
	MaxBytesPerSec int64 // received and sent together; default no limit
}

// A Runtime is what several sessions share: threads, connections, memory,
// bandwidth. It is optional: a session opened without one has its own.
type Runtime struct {
	_ noCopy
	h *handle[*C.mlreg_runtime]
}

// NewRuntime makes a runtime; nil options are all defaults. Close it when the
// sessions that share it are open: they keep it alive.
func NewRuntime(opts *RuntimeOptions) (*Runtime, error) {
	if err := checkLibrary(); err != nil {
		return nil, err
	}
	if opts == nil {
		opts = &RuntimeOptions{}
	}
	var t texts
	threads, connections := t.count("MaxThreads", opts.MaxThreads), t.count("MaxConnections", opts.MaxConnections)
	if t.err != nil {
		return nil, t.err
	}
	var r *C.mlreg_runtime
	var e *C.mlreg_error
	rc := C.mlreg_go_runtime_new(threads, connections, amount(opts.MemoryBytes), amount(opts.MaxBytesPerSec), &r, &e)
	if rc < 0 {
		return nil, take(int64(rc), e)
	}
	out := &Runtime{}
	out.h = newHandle(out, "runtime", r, func(r *C.mlreg_runtime) { C.mlreg_runtime_free(r) })
	return out, nil
}

// use gives nil for a nil runtime: a session's own.
func (r *Runtime) use() (*C.mlreg_runtime, func(), error) {
	if r == nil {
		return nil, func() {}, nil
	}
	if r.h == nil {
		return nil, nil, closed("runtime")
	}
	object, err := r.h.use()
	return object, r.h.done, err
}

// Close gives the runtime up. The error is always nil.
func (r *Runtime) Close() error {
	if r != nil && r.h != nil {
		r.h.close()
	}
	return nil
}
