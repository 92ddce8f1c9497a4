// source.go - an io.ReaderAt that C reads a layer from.

package mlreg

/*
#include "bridge.h"
*/
import "C"

import (
	"fmt"
	"io"
	"runtime/cgo"
	"unsafe"
)

// A source is kept by a cgo.Handle until C releases it.
type source struct{ r io.ReaderAt }

//export mlregGoReadAt
func mlregGoReadAt(user, current C.uintptr_t, offset C.uint64_t, buf unsafe.Pointer, n C.size_t) C.int64_t {
	s, c := cgo.Handle(user).Value().(*source), callOf(current)
	p := unsafe.Slice((*byte)(buf), int(n))
	var got int
	if !c.guard(func() (err error) { got, err = s.read(p, int64(offset)); return }) {
		return C.int64_t(codeOf(c.failure, C.MLREG_EIO))
	}
	return C.int64_t(got)
}

// read gives some bytes, or none at the end, or an error; whatever r does.
func (s *source) read(p []byte, offset int64) (int, error) {
	n, err := s.r.ReadAt(p, offset)
	switch {
	case n < 0 || n > len(p):
		return 0, fmt.Errorf("%T.ReadAt gave %d bytes where %d were wanted", s.r, n, len(p))
	case n > 0 && (err == nil || err == io.EOF), n == 0 && err == io.EOF:
		return n, nil
	case err == nil && len(p) > 0:
		return 0, io.ErrNoProgress
	}
	return n, err
}

//export mlregGoRelease
func mlregGoRelease(user C.uintptr_t) { cgo.Handle(user).Delete() }
