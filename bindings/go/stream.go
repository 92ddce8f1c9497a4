// stream.go - one layer's bytes.

package mlreg

/*
#include "bridge.h"
*/
import "C"

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
	"unsafe"
)

// StreamOptions say which bytes of a layer to read, and how; their zero values
// are the defaults.
type StreamOptions struct {
	Offset int64 // in bytes from the layer's start: where the stream begins
	Length int64 // in bytes; 0: to the layer's end

	// Unverified reads a registry's layer as it arrives. The last read of a
	// whole pass reports a wrong digest, as [ErrDigest]. Without it, the layer
	// is brought and verified before OpenLayer returns.
	Unverified bool

	// File reads, of a layer that is a plain tar of one file, as images have
	// them, that file; Offset and Length count in it. Any other tar is
	// [ErrNotSupported]; a layer that is none is the file itself.
	File bool

	Progress         ProgressFunc // while the layer is opened
	ProgressInterval time.Duration
}

// A Stream reads one layer. It is an [io.ReadSeekCloser], an [io.ReaderAt] and
// an [io.WriterTo]. ReadAt may be called by any number of goroutines at once;
// Read and Seek wait for each other.
type Stream struct {
	h    *handle[*C.mlreg_stream]
	cb   *callbacks
	ctx  context.Context
	op   *C.mlreg_op // valid while the handle is in use
	size int64

	mu  sync.Mutex // guards pos, and C's
	pos int64      // where Read goes on; C's is the same, unless this is past the end
}

var (
	_ io.ReadSeekCloser = (*Stream)(nil)
	_ io.ReaderAt       = (*Stream)(nil)
	_ io.WriterTo       = (*Stream)(nil)
)

// OpenLayer opens a layer, by its index, for reading. Bytes are verified, where
// the options do not say otherwise. The context rules the opening and every
// later read: once it ends, reads fail. Close the stream.
func (a *Artifact) OpenLayer(ctx context.Context, layer int, opts *StreamOptions) (*Stream, error) {
	if opts == nil {
		opts = &StreamOptions{}
	}
	if layer < 0 || opts.Offset < 0 || opts.Length < 0 {
		return nil, invalid("a layer, offset or length is negative")
	}
	if err := alive(ctx); err != nil {
		return nil, err
	}
	object, err := a.use()
	if err != nil {
		return nil, err
	}
	defer a.h.done()
	return openStream(ctx, object, a.cb, layer, opts)
}

func openStream(ctx context.Context, a *C.mlreg_artifact, cb *callbacks, layer int, opts *StreamOptions) (*Stream, error) {
	var t texts
	interval := t.ms("ProgressInterval", max(opts.ProgressInterval, 0))
	if t.err != nil {
		return nil, t.err
	}
	op, err := newOp()
	if err != nil {
		return nil, err
	}
	if opts.Progress != nil {
		C.mlreg_go_on_progress(op, interval)
	}
	uncouple := couple(ctx, op)
	release := func() { uncouple(); C.mlreg_op_free(op) }
	var out *Stream
	defer func() { // also where a callback panics
		if out == nil {
			release()
		}
	}()
	c := &call{ctx: ctx, op: op, progress: opts.Progress}
	_, err = c.run(cb != nil || opts.Progress != nil, func(e **C.mlreg_error) C.int64_t {
		var s *C.mlreg_stream
		rc := C.mlreg_go_stream_open(a, C.size_t(layer), flag(opts.Unverified, C.MLREG_STREAM_UNVERIFIED)|flag(opts.File, C.MLREG_STREAM_FILE),
			C.uint64_t(opts.Offset), C.uint64_t(opts.Length), op, &s, e)
		if rc == 0 {
			C.mlreg_op_on_progress(op, nil, nil, 0)
			out = newStream(ctx, s, cb, op, release)
		}
		return C.int64_t(rc)
	})
	if err != nil {
		out.Close() // where a callback fails after all is done
		return nil, err
	}
	return out, nil
}

// newStream takes object over, and calls release after its end.
func newStream(ctx context.Context, object *C.mlreg_stream, cb *callbacks, op *C.mlreg_op, release func()) *Stream {
	cb.retain()
	s := &Stream{cb: cb, ctx: ctx, op: op, size: int64(C.mlreg_stream_bytes(object))}
	s.h = newHandle(s, "stream", object, func(object *C.mlreg_stream) {
		release()
		C.mlreg_stream_free(object)
		cb.release()
	})
	return s
}

// Size gives the length of the stream in bytes.
func (s *Stream) Size() int64 {
	if s == nil {
		return 0
	}
	return s.size
}

// Read reads on, as [io.Reader] says.
func (s *Stream) Read(p []byte) (int, error) {
	if err := s.usable(); err != nil || len(p) == 0 {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pos > s.size {
		return 0, io.EOF
	}
	n, err := s.call(func(cs *C.mlreg_stream, e **C.mlreg_error) C.int64_t {
		return C.mlreg_stream_read(cs, unsafe.Pointer(&p[0]), C.size_t(len(p)), e)
	})
	s.pos += n
	if err == nil && n == 0 { // C is asked at the end too: that is where it tells of a wrong digest
		err = io.EOF
	}
	return int(n), err
}

// ReadAt reads len(p) bytes at off of the stream, as [io.ReaderAt] says; the
// position of Read does not move.
func (s *Stream) ReadAt(p []byte, off int64) (int, error) {
	if err := s.usable(); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, invalid("the offset %d is negative", off)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if off >= s.size {
		return 0, io.EOF
	}
	n, err := s.call(func(cs *C.mlreg_stream, e **C.mlreg_error) C.int64_t {
		return C.mlreg_stream_read_at(cs, C.uint64_t(off), unsafe.Pointer(&p[0]), C.size_t(len(p)), e)
	})
	if err == nil && int(n) < len(p) {
		err = io.EOF
	}
	return int(n), err
}

// Seek sets the position of the next Read, as [io.Seeker] says; past the end
// there is nothing to read.
func (s *Stream) Seek(offset int64, whence int) (int64, error) {
	if err := s.usable(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += s.pos
	case io.SeekEnd:
		offset += s.size
	default:
		return 0, invalid("the whence %d is none", whence)
	}
	if offset < 0 {
		return 0, invalid("the position %d is before the start", offset)
	}
	if offset <= s.size {
		_, err := s.call(func(cs *C.mlreg_stream, e **C.mlreg_error) C.int64_t {
			return C.int64_t(C.mlreg_stream_seek(cs, C.uint64_t(offset), e))
		})
		if err != nil {
			return 0, err
		}
	}
	s.pos = offset
	return offset, nil
}

// copyBytes is large enough that a call into C costs nothing beside the copy.
const copyBytes = 256 << 10

// WriteTo writes the rest of the stream to w; [io.Copy] uses it.
func (s *Stream) WriteTo(w io.Writer) (int64, error) {
	// Their other methods are hidden: they would come back here, or take small steps.
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{s}, make([]byte, copyBytes))
}

func (s *Stream) usable() error {
	if s == nil {
		return invalid("the stream is nil")
	}
	if s.h == nil || s.h.isClosed() {
		return closed("stream")
	}
	return nil
}

// call makes one C call on the stream.
func (s *Stream) call(f func(s *C.mlreg_stream, e **C.mlreg_error) C.int64_t) (int64, error) {
	object, err := s.h.use()
	if err != nil {
		return 0, err
	}
	defer s.h.done()
	if err := alive(s.ctx); err != nil { // the op hears of it a little later
		return 0, err
	}
	c := &call{ctx: s.ctx, op: s.op}
	n, err := c.run(s.cb != nil, func(e **C.mlreg_error) C.int64_t { return f(object, e) })
	if errors.Is(err, ErrCancelled) && s.ctx.Err() == nil && s.h.isClosed() {
		err = closed("stream")
	}
	return n, err
}

// Close gives the stream up. A Read in progress ends with [ErrClosed]. The
// error is always nil.
func (s *Stream) Close() error {
	if s == nil || s.h == nil {
		return nil
	}
	if _, err := s.h.use(); err != nil {
		return nil // it is closed already
	}
	defer s.h.done()
	s.h.close()
	C.mlreg_op_cancel(s.op)
	return nil
}
