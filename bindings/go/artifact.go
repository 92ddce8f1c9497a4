// artifact.go - one resolved manifest or index.

package mlreg

/*
#include "bridge.h"
*/
import "C"

import (
	"context"
	"os"
	"slices"
	"unsafe"
)

// An Artifact is a manifest or an index that was fetched and verified, in the
// place where it was found. What describes it was copied: the methods without a
// context and without an error work after Close too.
type Artifact struct {
	_     noCopy
	h     *handle[*C.mlreg_artifact]
	cb    *callbacks
	known known
}

// What is known is what its manifest says.
type known struct {
	self       Descriptor
	config     []Descriptor
	layers     []Descriptor
	children   []Descriptor
	subject    []Descriptor
	json       []byte
	repository string
}

// newArtifact takes object over.
func newArtifact(object *C.mlreg_artifact, cb *callbacks) *Artifact {
	cb.retain()
	a := &Artifact{cb: cb}
	a.h = newHandle(a, "artifact", object, func(object *C.mlreg_artifact) {
		C.mlreg_artifact_free(object)
		cb.release()
	})
	a.known = learn(object)
	return a
}

func learn(a *C.mlreg_artifact) known {
	var n C.size_t
	text := C.mlreg_artifact_json(a, &n)
	return known{
		self:       parts(a, C.MLREG_PART_SELF)[0],
		config:     parts(a, C.MLREG_PART_CONFIG),
		layers:     parts(a, C.MLREG_PART_LAYER),
		children:   parts(a, C.MLREG_PART_CHILD),
		subject:    parts(a, C.MLREG_PART_SUBJECT),
		json:       C.GoBytes(unsafe.Pointer(text), C.int(n)), // 4 MiB at most
		repository: C.GoString(C.mlreg_artifact_repository(a)),
	}
}

// about gives what is known; of a nil artifact that is nothing.
func (a *Artifact) about() *known {
	if a == nil {
		return &known{}
	}
	return &a.known
}

func parts(a *C.mlreg_artifact, part C.int32_t) []Descriptor {
	n := C.mlreg_artifact_count(a, part)
	out := make([]Descriptor, 0, int(n))
	for i := C.size_t(0); i < n; i++ {
		out = append(out, newDescriptor(C.mlreg_artifact_at(a, part, i)))
	}
	return out
}

// Descriptor gives media type, digest and size of the manifest itself, and its
// annotations.
func (a *Artifact) Descriptor() Descriptor { return copies([]Descriptor{a.about().self})[0] }

// Digest gives the digest of the manifest.
func (a *Artifact) Digest() string { return a.about().self.Digest }

// Repository gives the repository that it was found in, and lives in.
func (a *Artifact) Repository() string { return a.about().repository }

// JSON gives a copy of the manifest's exact bytes.
func (a *Artifact) JSON() []byte { return slices.Clone(a.about().json) }

// Layers gives the layers in their order; their indexes are what OpenLayer and
// OpenLayerFile take.
func (a *Artifact) Layers() []Descriptor { return copies(a.about().layers) }

// Children gives the manifests of an index.
func (a *Artifact) Children() []Descriptor { return copies(a.about().children) }

// ConfigDescriptor tells of the config; ok is false where there is none.
func (a *Artifact) ConfigDescriptor() (d Descriptor, ok bool) { return only(a.about().config) }

// Subject tells of the manifest that this one refers to; ok is false where
// there is none.
func (a *Artifact) Subject() (d Descriptor, ok bool) { return only(a.about().subject) }

func only(list []Descriptor) (Descriptor, bool) {
	if len(list) == 0 {
		return Descriptor{}, false
	}
	return copies(list)[0], true
}

// Config fetches the config's bytes, verified. Where there is none the error is
// [ErrNotFound], over 16 MiB [ErrLimit].
func (a *Artifact) Config(ctx context.Context) ([]byte, error) {
	var out []byte
	err := a.do(ctx, watch{}, func(ca *C.mlreg_artifact, op *C.mlreg_op, e **C.mlreg_error) C.int {
		var bytes *C.char
		var n C.size_t
		rc := C.mlreg_artifact_config(ca, op, &bytes, &n, e)
		if rc == 0 {
			out = C.GoBytes(unsafe.Pointer(bytes), C.int(n))
		}
		return rc
	})
	return out, err
}

// bringConfig fetches the config, if there is one, ahead of a call that wants it
// but that no context can end.
func (a *Artifact) bringConfig(ctx context.Context) error {
	return a.do(ctx, watch{}, func(ca *C.mlreg_artifact, op *C.mlreg_op, e **C.mlreg_error) C.int {
		if len(a.known.config) == 0 {
			return 0
		}
		var bytes *C.char
		return C.mlreg_artifact_config(ca, op, &bytes, nil, e)
	})
}

// OpenLayerFile opens a verified layer of a store for reading, to map it or to
// send it on without a copy. Elsewhere the error is [ErrNotSupported].
func (a *Artifact) OpenLayerFile(layer int) (*os.File, error) {
	if layer < 0 {
		return nil, invalid("there is no layer %d", layer)
	}
	var out *os.File
	err := a.do(context.Background(), watch{}, func(ca *C.mlreg_artifact, _ *C.mlreg_op, e **C.mlreg_error) C.int {
		var fd C.int
		rc := C.mlreg_artifact_open_fd(ca, C.size_t(layer), &fd, e)
		if rc == 0 {
			out = os.NewFile(uintptr(fd), a.known.layers[layer].Digest)
		}
		return rc
	})
	return out, err
}

// FileRange tells where in a layer's bytes the file lies that it stands for: all
// of them, or a part of a plain tar of one file, as images have them. With
// [Artifact.OpenLayerFile] that is what to read or map. A packed tar, or one of
// several files, is [ErrNotSupported].
func (a *Artifact) FileRange(ctx context.Context, layer int) (offset, size int64, err error) {
	if layer < 0 {
		return 0, 0, invalid("there is no layer %d", layer)
	}
	var at, n C.uint64_t
	err = a.do(ctx, watch{}, func(ca *C.mlreg_artifact, op *C.mlreg_op, e **C.mlreg_error) C.int {
		return C.mlreg_artifact_file_range(ca, C.size_t(layer), op, &at, &n, e)
	})
	return int64(at), int64(n), err
}

// use gives the C artifact, to be followed by a.h.done().
func (a *Artifact) use() (*C.mlreg_artifact, error) {
	if a == nil {
		return nil, invalid("the artifact is nil")
	}
	if a.h == nil {
		return nil, closed("artifact")
	}
	return a.h.use()
}

// do makes one C call on the artifact.
func (a *Artifact) do(ctx context.Context, w watch, f func(a *C.mlreg_artifact, op *C.mlreg_op, e **C.mlreg_error) C.int) error {
	object, err := a.use()
	if err != nil {
		return err
	}
	defer a.h.done()
	w.callbacks = a.cb != nil
	return do(ctx, w, func(op *C.mlreg_op, e **C.mlreg_error) C.int { return f(object, op, e) })
}

// Close gives the artifact up; streams that came from it live on. The error is
// always nil.
func (a *Artifact) Close() error {
	if a != nil && a.h != nil {
		a.h.close()
	}
	return nil
}
