// builder.go - one manifest in the making.

package mlreg

/*
#include "bridge.h"
*/
import "C"

import (
	"bytes"
	"context"
	"io"
	"runtime/cgo"
	"sync"
	"time"
	"unsafe"
)

// A Builder makes one artifact: set and add, in any order, then Commit, once;
// any other order is [ErrState]. Bytes are read, hashed and written at Commit,
// many layers at a time, and nothing can be found before it returns. The same
// input gives the same digest.
type Builder struct {
	h    *handle[*C.mlreg_builder]
	cb   *callbacks
	lent *lent
	busy sync.Mutex // held by a call; a second one is refused, not delayed
}

// What is lent are the callbacks of other sessions, whose artifacts the builder
// was given and reads at Commit.
type lent []*callbacks

func (l lent) release() {
	for _, cb := range l {
		cb.release()
	}
}

// LayerOptions say what a layer is; their zero values are the defaults.
type LayerOptions struct {
	MediaType string // default: by content and name, after ModelPack; of an image's layer: OCI's
	Title     string // the file's path in the artifact or image; default: its name; of a tree: a prefix
	Tar       bool   // each file in a page-aligned tar of its own, as an image has it
	Gzip      bool   // the tar is packed by gzip,
	Zstd      bool   // or by zstd
	Each      bool   // of a tree in an image: each file a layer of its own
}

func (o *LayerOptions) flags() C.uint32_t {
	return flag(o.Tar, C.MLREG_LAYER_TAR) | flag(o.Gzip, C.MLREG_LAYER_GZIP) | flag(o.Zstd, C.MLREG_LAYER_ZSTD) |
		flag(o.Each, C.MLREG_LAYER_EACH)
}

// NewBuilder begins an artifact in this place. An artifactType of "" is a
// ModelPack, whose config is filled from its files. A place that is read-only
// is [ErrDenied]. Close the builder, after Commit too.
func (s *Session) NewBuilder(artifactType string) (*Builder, error) {
	return s.newBuilder(C.MLREG_BUILD_ARTIFACT, artifactType)
}

// NewImageBuilder begins an OCI image that can be run: every layer is a tar.
func (s *Session) NewImageBuilder() (*Builder, error) {
	return s.newBuilder(C.MLREG_BUILD_IMAGE, "")
}

func (s *Session) newBuilder(kind C.int32_t, artifactType string) (*Builder, error) {
	var t texts
	ctype := t.may("the artifact type", artifactType)
	if t.err != nil {
		return nil, t.err
	}
	var out *Builder
	err := s.do(context.Background(), watch{}, func(cs *C.mlreg_session, _ *C.mlreg_op, e **C.mlreg_error) C.int {
		var b *C.mlreg_builder
		rc := C.mlreg_builder_new(cs, kind, ctype, &b, e)
		if rc == 0 {
			out = newBuilder(b, s.cb)
		}
		return rc
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// newBuilder takes object over.
func newBuilder(object *C.mlreg_builder, cb *callbacks) *Builder {
	cb.retain()
	lent := &lent{}
	b := &Builder{cb: cb, lent: lent}
	b.h = newHandle(b, "builder", object, func(object *C.mlreg_builder) {
		C.mlreg_builder_free(object)
		cb.release()
		lent.release()
	})
	return b
}

// SetConfig uses these bytes as config in place of the one that would be made.
// Over 16 MiB is [ErrLimit].
func (b *Builder) SetConfig(mediaType string, data []byte) error {
	var t texts
	ctype := t.need("the media type", mediaType)
	if t.err != nil {
		return t.err
	}
	held := append(data[:len(data):len(data)], 0) // C wants an address, if only of nothing
	return b.set(func(cb *C.mlreg_builder, e **C.mlreg_error) C.int {
		return C.mlreg_builder_set_config(cb, ctype, unsafe.Pointer(unsafe.SliceData(held)), C.size_t(len(data)), e)
	})
}

// SetSubject makes the artifact refer to the manifest of this digest in the
// same repository; that it is there is checked by Commit.
func (b *Builder) SetSubject(digest string) error {
	var t texts
	cdigest := t.need("the digest", digest)
	if t.err != nil {
		return t.err
	}
	return b.set(func(cb *C.mlreg_builder, e **C.mlreg_error) C.int {
		return C.mlreg_builder_set_subject(cb, cdigest, e)
	})
}

// SetAnnotation annotates the manifest; a key set again is replaced.
func (b *Builder) SetAnnotation(key, value string) error {
	var t texts
	ckey, cvalue := t.need("the key", key), t.need("the value", value)
	if t.err != nil {
		return t.err
	}
	return b.set(func(cb *C.mlreg_builder, e **C.mlreg_error) C.int {
		return C.mlreg_builder_set_annotation(cb, ckey, cvalue, e)
	})
}

// ImageOptions say how an image is run; what is not set is the base's.
type ImageOptions struct {
	Platform      string // "os/architecture[/variant]"; default: the base's, else this machine's
	User, Workdir string
	Env, Labels   []string // "NAME=value" each, added to the base's
	Ports         []string // "8080" or "53/udp" each, likewise
	Entrypoint    []string // replaces the base's, and its Cmd
	Cmd           []string
}

// SetImage says how the image is run. A call adds to what earlier ones set.
func (b *Builder) SetImage(o ImageOptions) error {
	var t texts
	var all []string
	var n [5]C.size_t
	for i, list := range [5][]string{o.Env, o.Labels, o.Ports, o.Entrypoint, o.Cmd} {
		all, n[i] = append(all, list...), C.size_t(len(list))
	}
	platform, user, workdir := t.may("the platform", o.Platform), t.may("the user", o.User), t.may("the workdir", o.Workdir)
	lists, _ := t.list("an option", all)
	if t.err != nil {
		return t.err
	}
	return b.set(func(cb *C.mlreg_builder, e **C.mlreg_error) C.int {
		return C.mlreg_go_set_image(cb, platform, user, workdir, lists, &n[0], e)
	})
}

// SetBase makes the image on another one, of any place. Only its config is
// read; its layers stay where they are as far as that is possible.
func (b *Builder) SetBase(ctx context.Context, base *Artifact) error {
	if err := base.bringConfig(ctx); err != nil {
		return err
	}
	return b.give(base, func(cb *C.mlreg_builder, a *C.mlreg_artifact, e **C.mlreg_error) C.int {
		return C.mlreg_builder_set_base(cb, a, e)
	})
}

// AddLayerOf adds a layer that an artifact has already, not read again where
// that is possible. Where a tar is asked for, as in images, a file is wrapped in
// one, and a tar taken as it is.
func (b *Builder) AddLayerOf(ctx context.Context, from *Artifact, layer int, opts *LayerOptions) error {
	if opts == nil {
		opts = &LayerOptions{}
	}
	var t texts
	media, title := t.may("the media type", opts.MediaType), t.may("the title", opts.Title)
	if t.err != nil {
		return t.err
	}
	if layer < 0 {
		return invalid("there is no layer %d", layer)
	}
	if err := from.bringConfig(ctx); err != nil {
		return err
	}
	return b.give(from, func(cb *C.mlreg_builder, a *C.mlreg_artifact, e **C.mlreg_error) C.int {
		return C.mlreg_go_add_layer_of(cb, opts.flags(), media, title, a, C.size_t(layer), e)
	})
}

// PipOptions say how requirements are installed; their zero values are the
// defaults.
type PipOptions struct {
	Target        string   // the folder in the image; default: "/opt/python"
	Python        string   // the machine's Python; default: "python3"
	PythonVersion string   // the image's, where it is not the machine's
	Args          []string // more for pip
	Gzip, Zstd    bool     // the layer is packed
}

// AddPip adds to an image what a requirements file asks for as one layer, which
// this machine's pip installs at Commit.
func (b *Builder) AddPip(ctx context.Context, requirements string, o *PipOptions) error {
	if o == nil {
		o = &PipOptions{}
	}
	var t texts
	target, python, version := t.may("the target", o.Target), t.may("the Python", o.Python), t.may("the version", o.PythonVersion)
	args, nArgs := t.list("an argument", o.Args)
	if t.err != nil {
		return t.err
	}
	opts := &LayerOptions{Gzip: o.Gzip, Zstd: o.Zstd}
	return b.add(ctx, requirements, opts, func(cb *C.mlreg_builder, flags C.uint32_t, path, _, _ *C.char, op *C.mlreg_op, e **C.mlreg_error) C.int {
		return C.mlreg_go_add_pip(cb, flags, target, python, version, args, nArgs, path, op, e)
	})
}

// AddTree adds every file below a folder, each as one raw layer, in the order
// of their paths; hidden files and folders are left out. A failed call adds
// nothing.
func (b *Builder) AddTree(ctx context.Context, dir string, opts *LayerOptions) error {
	return b.add(ctx, dir, opts, func(cb *C.mlreg_builder, flags C.uint32_t, path, media, title *C.char, op *C.mlreg_op, e **C.mlreg_error) C.int {
		return C.mlreg_go_add_tree(cb, flags, media, title, path, op, e)
	})
}

// AddFile adds one file as one raw layer.
func (b *Builder) AddFile(ctx context.Context, path string, opts *LayerOptions) error {
	return b.add(ctx, path, opts, func(cb *C.mlreg_builder, flags C.uint32_t, path, media, title *C.char, op *C.mlreg_op, e **C.mlreg_error) C.int {
		return C.mlreg_go_add_file(cb, flags, media, title, path, op, e)
	})
}

// AddBytes adds bytes as one layer; opts.Title is required. They must not
// change before the builder is committed or closed.
func (b *Builder) AddBytes(ctx context.Context, data []byte, opts *LayerOptions) error {
	return b.AddReaderAt(ctx, bytes.NewReader(data), int64(len(data)), opts)
}

// AddReaderAt adds what r gives, exactly size bytes, as one layer; opts.Title
// is required. It is read by Commit, from one goroutine at a time, and may be
// read again from any offset; the builder keeps it until it is committed or
// closed. An error that r returns is wrapped by Commit's, and a panic comes out
// of Commit. ReadAt must not keep the slice that it is given.
func (b *Builder) AddReaderAt(ctx context.Context, r io.ReaderAt, size int64, opts *LayerOptions) error {
	if r == nil || size < 0 {
		return invalid("the reader is nil or its size %d negative", size)
	}
	return b.add(ctx, "", opts, func(cb *C.mlreg_builder, flags C.uint32_t, _, media, title *C.char, op *C.mlreg_op, e **C.mlreg_error) C.int {
		return C.mlreg_go_add_source(cb, flags, media, title, C.uintptr_t(cgo.NewHandle(&source{r})), C.uint64_t(size), op, e)
	})
}

// CommitOptions say how to commit; their zero values are the defaults.
type CommitOptions struct {
	MoveTag      bool     // tags that name something else are moved
	ExpectDigest string   // with MoveTag: only if the reference's own tag is at this digest now
	Also         []string // further tags

	Progress         ProgressFunc
	ProgressInterval time.Duration // default 200 ms
}

// Commit writes the layers, config and manifest, then the tags. The reference
// is "repo:tag", or "repo" for an artifact that is known by its digest alone.
// Where one of the tags names something else the error is [ErrExists], unless
// MoveTag is set, and none is put. The artifact is to be closed.
func (b *Builder) Commit(ctx context.Context, ref string, opts *CommitOptions) (*Artifact, error) {
	if opts == nil {
		opts = &CommitOptions{}
	}
	var t texts
	cref, expect := t.need("the reference", ref), t.may("ExpectDigest", opts.ExpectDigest)
	also, nAlso := t.list("a tag", opts.Also)
	if t.err != nil {
		return nil, t.err
	}
	object, done, err := b.use()
	if err != nil {
		return nil, err
	}
	defer done()
	// Sources call back even where the session does not.
	return made(ctx, watch{opts.Progress, opts.ProgressInterval, true}, b.cb, func(op *C.mlreg_op, out **C.mlreg_artifact, e **C.mlreg_error) C.int {
		return C.mlreg_go_commit(object, cref, flag(opts.MoveTag, C.MLREG_COPY_MOVE_TAG), expect, also, nAlso, op, out, e)
	})
}

// use gives the C builder to one call alone, until done.
func (b *Builder) use() (object *C.mlreg_builder, done func(), err error) {
	if b == nil {
		return nil, nil, invalid("the builder is nil")
	}
	if b.h == nil {
		return nil, nil, closed("builder")
	}
	if object, err = b.h.use(); err != nil {
		return nil, nil, err
	}
	if !b.busy.TryLock() {
		b.h.done()
		return nil, nil, &Error{Code: ErrState, Message: "the builder serves another call now"}
	}
	return object, func() { b.busy.Unlock(); b.h.done() }, nil
}

// set makes a C call that does not take long.
func (b *Builder) set(f func(b *C.mlreg_builder, e **C.mlreg_error) C.int) error {
	object, done, err := b.use()
	if err != nil {
		return err
	}
	defer done()
	return do(context.Background(), watch{}, func(_ *C.mlreg_op, e **C.mlreg_error) C.int { return f(object, e) })
}

// give makes a C call that gives the builder an artifact, whose session it uses
// from then on.
func (b *Builder) give(a *Artifact, f func(b *C.mlreg_builder, a *C.mlreg_artifact, e **C.mlreg_error) C.int) error {
	object, err := a.use()
	if err != nil {
		return err
	}
	defer a.h.done()
	return b.set(func(cb *C.mlreg_builder, e **C.mlreg_error) C.int {
		*b.lent = append(*b.lent, a.cb.retain())
		return f(cb, object, e)
	})
}

// add makes a C call that adds layers.
func (b *Builder) add(ctx context.Context, path string, opts *LayerOptions,
	f func(b *C.mlreg_builder, flags C.uint32_t, path, media, title *C.char, op *C.mlreg_op, e **C.mlreg_error) C.int) error {
	if opts == nil {
		opts = &LayerOptions{}
	}
	var t texts
	cpath := t.need("the path", path)
	media, title := t.may("the media type", opts.MediaType), t.may("the title", opts.Title)
	if t.err != nil {
		return t.err
	}
	object, done, err := b.use()
	if err != nil {
		return err
	}
	defer done()
	return do(ctx, watch{callbacks: b.cb != nil}, func(op *C.mlreg_op, e **C.mlreg_error) C.int {
		return f(object, opts.flags(), cpath, media, title, op, e)
	})
}

// Close gives the builder up; what was not committed leaves no trace. The error
// is always nil.
func (b *Builder) Close() error {
	if b != nil && b.h != nil {
		b.h.close()
	}
	return nil
}
