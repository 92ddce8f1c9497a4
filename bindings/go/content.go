// content.go - content by digest: what a registry is asked for, one blob and one manifest at a time.

package mlreg

/*
#include "bridge.h"
*/
import "C"

import (
	"context"
	"os"
	"sync"
	"unsafe"
)

// Blob looks whether a repository has a blob, and how long it is. In a store
// that may be written to, the blob is from then on safe from [Session.GC], until
// a manifest that names it is put, [Session.Release], or Close.
func (s *Session) Blob(ctx context.Context, repo, digest string) (size int64, err error) {
	var t texts
	crepo, cdigest := t.need("the repository", repo), t.need("the digest", digest)
	if t.err != nil {
		return 0, t.err
	}
	var bytes C.uint64_t
	err = s.do(ctx, watch{}, func(cs *C.mlreg_session, op *C.mlreg_op, e **C.mlreg_error) C.int {
		return C.mlreg_session_blob(cs, crepo, cdigest, op, &bytes, e)
	})
	return int64(bytes), err
}

// OpenBlob opens a blob of a store, which was verified when it came, for
// reading. Elsewhere the error is [ErrNotSupported].
func (s *Session) OpenBlob(ctx context.Context, repo, digest string) (*os.File, error) {
	var t texts
	crepo, cdigest := t.need("the repository", repo), t.need("the digest", digest)
	if t.err != nil {
		return nil, t.err
	}
	var out *os.File
	err := s.do(ctx, watch{}, func(cs *C.mlreg_session, op *C.mlreg_op, e **C.mlreg_error) C.int {
		var fd C.int
		rc := C.mlreg_session_blob_fd(cs, crepo, cdigest, op, &fd, nil, e)
		if rc == 0 {
			out = os.NewFile(uintptr(fd), digest)
		}
		return rc
	})
	return out, err
}

// Mount makes a blob of the repository from known to repo in the same place.
func (s *Session) Mount(ctx context.Context, repo, digest, from string) error {
	var t texts
	crepo, cdigest, cfrom := t.need("the repository", repo), t.need("the digest", digest), t.need("the repository", from)
	if t.err != nil {
		return t.err
	}
	return s.do(ctx, watch{}, func(cs *C.mlreg_session, op *C.mlreg_op, e **C.mlreg_error) C.int {
		return C.mlreg_session_mount(cs, crepo, cdigest, cfrom, op, e)
	})
}

// Release says that a blob that was found, mounted or uploaded is waited for no
// longer: [Session.GC] may take it if nothing names it.
func (s *Session) Release(repo, digest string) error {
	var t texts
	crepo, cdigest := t.need("the repository", repo), t.need("the digest", digest)
	if t.err != nil {
		return t.err
	}
	return s.do(context.Background(), watch{}, func(cs *C.mlreg_session, _ *C.mlreg_op, e **C.mlreg_error) C.int {
		return C.mlreg_session_release(cs, crepo, cdigest, e)
	})
}

// PutOptions say how to put a manifest; their zero values are the defaults.
type PutOptions struct {
	MediaType    string // as it was sent; default: as the manifest says
	MoveTag      bool   // a tag that names something else is moved
	ExpectDigest string // with MoveTag: only if the tag is at this digest now
}

// Put puts a manifest or index, byte for byte. All that it names must be there,
// but for layers with URLs and its subject.
func (s *Session) Put(ctx context.Context, ref string, manifest []byte, opts *PutOptions) (*Artifact, error) {
	if opts == nil {
		opts = &PutOptions{}
	}
	var t texts
	cref, ctype, expect := t.need("the reference", ref), t.may("the media type", opts.MediaType), t.may("ExpectDigest", opts.ExpectDigest)
	if t.err != nil {
		return nil, t.err
	}
	json := append(append(make([]byte, 0, len(manifest)+1), manifest...), 0) // never nil
	var out *Artifact
	err := s.do(ctx, watch{}, func(cs *C.mlreg_session, op *C.mlreg_op, e **C.mlreg_error) C.int {
		var a *C.mlreg_artifact
		rc := C.mlreg_go_put(cs, cref, ctype, unsafe.Pointer(&json[0]), C.size_t(len(manifest)),
			flag(opts.MoveTag, C.MLREG_COPY_MOVE_TAG), expect, op, &a, e)
		if rc == 0 {
			out = newArtifact(a, s.cb)
		}
		return rc
	})
	return out, err
}

// An Upload is one blob that comes in pieces, by Write. It outlives the process:
// what was kept is gone on with by its ID.
type Upload struct {
	h  *handle[*C.mlreg_upload]
	id string
	mu sync.Mutex // one call at a time
}

// OpenUpload begins to upload a blob, or with an id goes on with one, after a
// restart too. Only a store takes them: [ErrNotSupported]. Close the upload.
func (s *Session) OpenUpload(ctx context.Context, repo, id string) (*Upload, error) {
	var t texts
	crepo, cid := t.need("the repository", repo), t.may("the id", id)
	if t.err != nil {
		return nil, t.err
	}
	var out *Upload
	err := s.do(ctx, watch{}, func(cs *C.mlreg_session, op *C.mlreg_op, e **C.mlreg_error) C.int {
		var u *C.mlreg_upload
		rc := C.mlreg_upload_open(cs, crepo, cid, op, &u, e)
		if rc == 0 {
			out = newUpload(u, s.cb)
		}
		return rc
	})
	return out, err
}

// newUpload takes object over.
func newUpload(object *C.mlreg_upload, cb *callbacks) *Upload {
	cb.retain()
	u := &Upload{id: C.GoString(C.mlreg_upload_id(object))}
	u.h = newHandle(u, "upload", object, func(object *C.mlreg_upload) {
		C.mlreg_upload_free(object)
		cb.release()
	})
	return u
}

// ID gives its name, which nobody can guess; that of a nil upload is "".
func (u *Upload) ID() string {
	if u == nil {
		return ""
	}
	return u.id
}

// Size gives how many bytes it has; 0 once it is closed.
func (u *Upload) Size() int64 {
	cu, err := u.use()
	if err != nil {
		return 0
	}
	defer u.h.done()
	u.mu.Lock()
	defer u.mu.Unlock()
	return int64(C.mlreg_upload_bytes(cu))
}

// Write adds bytes at its end; they are hashed on the way.
func (u *Upload) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	err := u.do(context.Background(), func(cu *C.mlreg_upload, _ *C.mlreg_op, e **C.mlreg_error) C.int {
		return C.mlreg_upload_write(cu, unsafe.Pointer(&p[0]), C.size_t(len(p)), e)
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// Keep sees to it that a killed process loses none of the bytes so far.
func (u *Upload) Keep() error {
	return u.do(context.Background(), func(cu *C.mlreg_upload, _ *C.mlreg_op, e **C.mlreg_error) C.int {
		return C.mlreg_upload_keep(cu, e)
	})
}

// Commit checks it and makes it a blob of its repository, durably. Where the
// digest is another the error is [ErrDigest], and the upload is as before.
func (u *Upload) Commit(ctx context.Context, digest string) error {
	var t texts
	cdigest := t.need("the digest", digest)
	if t.err != nil {
		return t.err
	}
	return u.do(ctx, func(cu *C.mlreg_upload, op *C.mlreg_op, e **C.mlreg_error) C.int {
		return C.mlreg_upload_commit(cu, cdigest, op, e)
	})
}

// Cancel closes it and keeps nothing.
func (u *Upload) Cancel() error {
	cu, err := u.use()
	if err != nil {
		return err
	}
	u.mu.Lock()
	C.mlreg_upload_cancel(cu)
	u.mu.Unlock()
	u.h.done()
	return u.Close()
}

// Close lets go of it; what was kept can be gone on with. The error is always
// nil.
func (u *Upload) Close() error {
	if u != nil && u.h != nil {
		u.h.close()
	}
	return nil
}

// use gives the C upload, to be followed by u.h.done().
func (u *Upload) use() (*C.mlreg_upload, error) {
	if u == nil {
		return nil, invalid("the upload is nil")
	}
	if u.h == nil {
		return nil, closed("upload")
	}
	return u.h.use()
}

func (u *Upload) do(ctx context.Context, f func(u *C.mlreg_upload, op *C.mlreg_op, e **C.mlreg_error) C.int) error {
	cu, err := u.use()
	if err != nil {
		return err
	}
	defer u.h.done()
	u.mu.Lock()
	defer u.mu.Unlock()
	return do(ctx, watch{}, func(op *C.mlreg_op, e **C.mlreg_error) C.int { return f(cu, op, e) })
}
