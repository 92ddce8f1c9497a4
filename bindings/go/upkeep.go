// upkeep.go - a store or layout is cleaned and checked.

package mlreg

/*
#include "bridge.h"
*/
import "C"

import (
	"context"
	"time"
)

// GCOptions say how to collect; their zero values are the defaults.
type GCOptions struct {
	DryRun bool          // only say what would go
	Grace  time.Duration // blobs younger than this stay; default one hour; negative: no grace

	Progress         ProgressFunc
	ProgressInterval time.Duration // default 200 ms
}

// A GCReport says what was removed or, with DryRun, would be.
type GCReport struct{ Blobs, Bytes int64 }

// GC removes blobs of a store or layout that no manifest names. Blobs of copies
// and builds in progress, in any process, are safe.
func (s *Session) GC(ctx context.Context, opts *GCOptions) (GCReport, error) {
	if opts == nil {
		opts = &GCOptions{}
	}
	grace := C.uint64_t(none)
	if opts.Grace >= 0 {
		grace = C.uint64_t(ceilMs(opts.Grace))
	}
	var blobs, bytes C.uint64_t
	w := watch{progress: opts.Progress, interval: opts.ProgressInterval}
	err := s.do(ctx, w, func(cs *C.mlreg_session, op *C.mlreg_op, e **C.mlreg_error) C.int {
		return C.mlreg_go_gc(cs, flag(opts.DryRun, C.MLREG_GC_DRY_RUN), grace, op, &blobs, &bytes, e)
	})
	return GCReport{int64(blobs), int64(bytes)}, err
}

// FsckOptions say how to check; their zero values are the defaults.
type FsckOptions struct {
	Repair bool // mend what can be mended, and say so in the line

	Progress         ProgressFunc
	ProgressInterval time.Duration // default 200 ms
}

// Fsck reads everything in a store or layout and names what is broken, one line
// a problem. Problems are no error.
func (s *Session) Fsck(ctx context.Context, opts *FsckOptions) (problems []string, err error) {
	if opts == nil {
		opts = &FsckOptions{}
	}
	w := watch{progress: opts.Progress, interval: opts.ProgressInterval}
	l, err := s.list(ctx, w, func(cs *C.mlreg_session, op *C.mlreg_op, out **C.mlreg_list, e **C.mlreg_error) C.int {
		return C.mlreg_session_fsck(cs, flag(opts.Repair, C.MLREG_FSCK_REPAIR), op, out, e)
	})
	return names(l), err
}
