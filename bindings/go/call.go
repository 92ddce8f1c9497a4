// call.go - one call into C: cancelled by a context, watched by callbacks whose errors and panics come out of it.

package mlreg

/*
#include "bridge.h"
*/
import "C"

import (
	"context"
	"runtime"
	"runtime/cgo"
	"time"
)

// A call is what the callbacks inside one C call share with it. It is used by
// one goroutine at a time: the callback's while the call waits for it.
type call struct {
	ctx      context.Context
	op       *C.mlreg_op // nil: nothing can cancel it
	progress ProgressFunc
	blobs    []BlobStats // that the op told of so far

	failure  error // what a callback returned
	panicked any   // what a callback panicked with
	exited   bool  // a callback called runtime.Goexit
}

// A watch is who looks on while a call runs.
type watch struct {
	progress  ProgressFunc
	interval  time.Duration
	callbacks bool // the sessions have some
}

// alive says why a call with this context must not begin.
func alive(ctx context.Context) error {
	if ctx == nil {
		return invalid("the context is nil")
	}
	if ctx.Err() != nil {
		return ended(ctx)
	}
	return nil
}

// do makes one C call, in f, under an op of its own.
func do(ctx context.Context, w watch, f func(op *C.mlreg_op, e **C.mlreg_error) C.int) error {
	if err := alive(ctx); err != nil {
		return err
	}
	c := &call{ctx: ctx, progress: w.progress}
	stop, err := c.steer(w)
	if err != nil {
		return err
	}
	defer stop()
	_, err = c.run(w.callbacks || w.progress != nil, func(e **C.mlreg_error) C.int64_t {
		return C.int64_t(f(c.op, e))
	})
	return err
}

// steer makes the op through which the context and the callbacks end the call,
// if there are any; stop lets go of it.
func (c *call) steer(w watch) (stop func(), err error) {
	if c.ctx.Done() == nil && w.progress == nil && !w.callbacks {
		return func() {}, nil
	}
	var t texts
	interval := t.ms("a progress interval", max(w.interval, 0))
	if t.err != nil {
		return nil, t.err
	}
	if c.op, err = newOp(); err != nil {
		return nil, err
	}
	if w.progress != nil {
		C.mlreg_go_on_progress(c.op, interval)
	}
	uncouple := couple(c.ctx, c.op)
	return func() {
		uncouple()
		C.mlreg_op_free(c.op)
	}, nil
}

func newOp() (*C.mlreg_op, error) {
	var op *C.mlreg_op
	var e *C.mlreg_error
	rc := C.mlreg_op_new(&op, &e)
	if rc < 0 {
		return nil, take(int64(rc), e)
	}
	return op, nil
}

// couple cancels op when ctx ends. After uncouple returns, nothing touches op
// any more.
func couple(ctx context.Context, op *C.mlreg_op) (uncouple func()) {
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		C.mlreg_op_cancel(op)
		close(fired)
	})
	return func() {
		if !stop() {
			<-fired
		}
	}
}

// run makes the C call in f and gives its result, or the error with all that
// caused it. A callback's panic goes on from here, above the frames of C.
func (c *call) run(callbacks bool, f func(e **C.mlreg_error) C.int64_t) (int64, error) {
	var e *C.mlreg_error
	var rc C.int64_t
	if callbacks {
		c.inside(func() { rc = f(&e) })
	} else {
		rc = f(&e)
	}
	if rc >= 0 && c.failure != nil { // of the last report, after which there was nothing left to end
		rc = C.MLREG_ECANCELLED
	}
	var err *Error
	if rc < 0 {
		err = take(int64(rc), e)
	}
	c.resume()
	if err != nil {
		return 0, c.explain(err)
	}
	return int64(rc), nil
}

// inside runs f, in which the callbacks find this call. The thread is kept:
// what the callbacks look at is thread-local.
func (c *call) inside(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	h := cgo.NewHandle(c)
	defer h.Delete()
	before := C.mlreg_go_enter(C.uintptr_t(h))
	defer C.mlreg_go_enter(before)
	f()
}

// resume goes on with what a callback began.
func (c *call) resume() {
	if c.exited {
		runtime.Goexit()
	}
	if c.panicked != nil {
		panic(c.panicked)
	}
}

// explain adds the causes that only Go knows.
func (c *call) explain(err *Error) error {
	if c.failure != nil {
		err.causes = append(err.causes, c.failure)
	} else if err.Code == ErrCancelled {
		err.causes = append(err.causes, reasons(c.ctx)...)
	}
	return err
}

// guard runs a callback of the user's, and says whether the call may go on. It
// has a goroutine of its own, which ends with it: neither a panic nor
// runtime.Goexit (t.Fatal) may unwind the frames of C.
func (c *call) guard(f func() error) bool {
	if c.broken() {
		return false
	}
	done := make(chan struct{})
	go func() {
		returned := false
		defer close(done)
		defer func() {
			if c.panicked = recover(); c.panicked == nil {
				c.exited = !returned
			}
		}()
		c.failure = f()
		returned = true
	}()
	<-done
	if (c.panicked != nil || c.exited) && c.op != nil {
		C.mlreg_op_cancel(c.op) // an error ends the call by itself, with its own code
	}
	return !c.broken()
}

func (c *call) broken() bool { return c.failure != nil || c.panicked != nil || c.exited }
