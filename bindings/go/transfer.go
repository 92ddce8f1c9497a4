// transfer.go - artifacts go from place to place, and their files into folders.

package mlreg

/*
#include "bridge.h"
*/
import "C"

import (
	"context"
	"time"
)

// CopyOptions say how to copy; their zero values are the defaults.
type CopyOptions struct {
	MoveTag      bool   // a tag that names something else is moved
	Referrers    bool   // what refers to the artifact comes along
	ExpectDigest string // with MoveTag: only if the tag is at this digest now
	Variant      *Wish  // of an index only the entry that fits; a registry then gets that one alone
	AllVariants  bool   // an index that from has in part only is [ErrNotFound]
	Foreign      bool   // an image's layers that are not to be distributed come along, from their addresses

	Progress         ProgressFunc
	ProgressInterval time.Duration // default 200 ms
}

// Copy copies an artifact, and every blob it names, from one place to another.
// This is pull (registry to store), push (store to registry), promote, export
// and, within one place, tag. An index takes its children along.
//
// ref is relative to from. as is the name that it gets in to: "" keeps ref, and
// one without tag and digest takes ref's. The artifact as it now is in to is
// returned, to be closed.
//
// Blobs land by digest as they verify and outlive a failure, so calling again
// moves only what is missing. The tag moves last; where it names something else
// the error is [ErrExists], before a byte moves, unless MoveTag is set.
func Copy(ctx context.Context, from *Session, ref string, to *Session, as string, opts *CopyOptions) (*Artifact, error) {
	if opts == nil {
		opts = &CopyOptions{}
	}
	var t texts
	cref, cas, expect := t.need("the reference", ref), t.may("the name", as), t.may("ExpectDigest", opts.ExpectDigest)
	flags := flag(opts.MoveTag, C.MLREG_COPY_MOVE_TAG) | flag(opts.Referrers, C.MLREG_COPY_REFERRERS) |
		flag(opts.AllVariants, C.MLREG_COPY_ALL_VARIANTS) | flag(opts.Foreign, C.MLREG_COPY_FOREIGN)
	wish := t.wish(opts.Variant)
	if t.err != nil {
		return nil, t.err
	}
	source, err := from.use()
	if err != nil {
		return nil, err
	}
	defer from.h.done()
	target, err := to.use()
	if err != nil {
		return nil, err
	}
	defer to.h.done()
	w := watch{opts.Progress, opts.ProgressInterval, from.cb != nil || to.cb != nil}
	return made(ctx, w, to.cb, func(op *C.mlreg_op, out **C.mlreg_artifact, e **C.mlreg_error) C.int {
		return C.mlreg_go_copy(source, cref, target, cas, flags, expect, wish.c(), op, out, e)
	})
}

// made makes a C call that gives an artifact. It is wrapped at once, so that
// even a callback's panic leaves it to the collector.
func made(ctx context.Context, w watch, cb *callbacks,
	f func(op *C.mlreg_op, out **C.mlreg_artifact, e **C.mlreg_error) C.int) (*Artifact, error) {
	var made *Artifact
	err := do(ctx, w, func(op *C.mlreg_op, e **C.mlreg_error) C.int {
		var a *C.mlreg_artifact
		rc := f(op, &a, e)
		if rc == 0 {
			made = newArtifact(a, cb)
		}
		return rc
	})
	if err != nil {
		made.Close() // where a callback fails after all is done
		return nil, err
	}
	return made, nil
}

// CheckoutOptions say which files to write; nil and empty: all.
type CheckoutOptions struct {
	Include []string // glob patterns ('*', '?', '**'): only files that match one; none: all
	Exclude []string // and not these

	Progress         ProgressFunc
	ProgressInterval time.Duration // default 200 ms
}

// Checkout writes the artifact's files into a folder, straight from wherever it
// lives. The folder is made if it is missing; its parent must be there.
//
// Names are checked before a byte is fetched: one that is no safe relative path
// is [ErrInvalid]. A file appears whole and verified or not at all; one that is
// there with the right content stays untouched. Layers that are archives are
// unpacked.
func (a *Artifact) Checkout(ctx context.Context, dir string, opts *CheckoutOptions) error {
	if opts == nil {
		opts = &CheckoutOptions{}
	}
	var t texts
	cdir := t.need("the folder", dir)
	in, nIn := t.list("a pattern", opts.Include)
	ex, nEx := t.list("a pattern", opts.Exclude)
	if t.err != nil {
		return t.err
	}
	w := watch{progress: opts.Progress, interval: opts.ProgressInterval}
	return a.do(ctx, w, func(ca *C.mlreg_artifact, op *C.mlreg_op, e **C.mlreg_error) C.int {
		return C.mlreg_go_checkout(ca, cdir, in, nIn, ex, nEx, op, e)
	})
}

// UnpackOptions say what to unpack; nil and empty: all of it.
type UnpackOptions struct {
	Path     string   // only what lies there in the image, put into the folder itself; "": all of it
	Layers   []string // digests: as if the image had only these layers, those that FindInImage gives; none: all
	Rootless bool     // as a plain user would, were it root that asks
	Foreign  bool     // layers that are not to be distributed are fetched, from their addresses

	Progress         ProgressFunc
	ProgressInterval time.Duration // default 200 ms
}

// UnpackImage unpacks an image, its layers in order, into a folder: the root
// file system that a container would see. The folder is not there yet, or
// empty; its parent must be there.
//
// The folder is whole, each layer checked against its digest and diff_id, or as
// it was. Devices are left out; owners and set-uid bits are kept where root
// unpacks.
func (a *Artifact) UnpackImage(ctx context.Context, dir string, opts *UnpackOptions) error {
	if opts == nil {
		opts = &UnpackOptions{}
	}
	var t texts
	cdir := t.need("the folder", dir)
	cpath := t.may("the path", opts.Path)
	layers, n := t.list("a layer's digest", opts.Layers)
	if t.err != nil {
		return t.err
	}
	var flags C.uint32_t
	if opts.Rootless {
		flags |= C.MLREG_UNPACK_ROOTLESS
	}
	if opts.Foreign {
		flags |= C.MLREG_UNPACK_FOREIGN
	}
	w := watch{progress: opts.Progress, interval: opts.ProgressInterval}
	return a.do(ctx, w, func(ca *C.mlreg_artifact, op *C.mlreg_op, e **C.mlreg_error) C.int {
		return C.mlreg_go_image_unpack(ca, cdir, cpath, layers, n, flags, op, e)
	})
}

// FindInImage gives the files of an image that lie at a path, or match a
// pattern; with "" those that are models, by content or name. Each is the
// descriptor of the layer that holds the file: Title is its path, and the
// annotations "io.github.libmlreg.image.bytes" and ".format" say what it is.
//
// A plain layer that names its one file is looked at by range, every other one
// is read to its end.
func (a *Artifact) FindInImage(ctx context.Context, path string) ([]Descriptor, error) {
	var t texts
	cpath := t.may("the path", path)
	if t.err != nil {
		return nil, t.err
	}
	l, err := listed(func(out **C.mlreg_list) error {
		return a.do(ctx, watch{}, func(ca *C.mlreg_artifact, op *C.mlreg_op, e **C.mlreg_error) C.int {
			return C.mlreg_image_find(ca, cpath, op, out, e)
		})
	})
	return descriptors(l), err
}
