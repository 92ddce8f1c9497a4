// callbacks.go - from C to the user's functions: progress, credentials, log.

package mlreg

/*
#include "bridge.h"
*/
import "C"

import (
	"context"
	"errors"
	"log/slog"
	"runtime/cgo"
	"slices"
	"sync/atomic"
	"time"
)

// Stats are the counts of one call. Done includes what was there already.
type Stats struct {
	BlobsDone, BlobsTotal int
	Requests, Retries     int
	BytesDone, BytesTotal int64         // of content
	BytesNetwork          int64         // received and sent
	BytesReused           int64         // not moved: there already, mounted or cloned
	BytesResumed          int64         // not moved again after a break
	Elapsed               time.Duration // since the call began

	// What it was spent on, added up over threads that work at the same time:
	// until a registry answered, on the bodies, on SHA-256, on writing files,
	// and until they were on the disk.
	Wait, Network, Hash, Write, Sync time.Duration

	Blobs []BlobStats // layers and configs that are done, in that order; the first 10,000
}

// BlobStats say what became of one layer or config.
type BlobStats struct {
	Name    string // the file, else the digest
	Bytes   int64
	Began   time.Duration // when the call had run so long
	Elapsed time.Duration
}

// A ProgressFunc is told now and then, even when no byte moves, and once at the
// end how far a call is. An error ends the call, which then fails with
// [ErrCancelled] and wraps it; that of the last report comes when all is done.
type ProgressFunc func(Stats) error

// A Credential is what an [AuthFunc] answers: a name and a secret, or a token
// that is sent as it is (Bearer), or nothing at all for anonymous.
type Credential struct {
	Name, Secret string
	Token        string
}

// An AuthFunc is asked for the credential of a host ("ghcr.io") and, where that
// names one, of a scope ("repository:team/llama:pull"). The context is that of
// the call that needs it. An error ends the call and is wrapped by the call's
// error.
type AuthFunc func(ctx context.Context, host, scope string) (Credential, error)

// The callbacks of one session. C may call them as long as the session or
// anything that came from it is not freed, so each of these holds a reference.
type callbacks struct {
	auth   AuthFunc
	logger *slog.Logger
	handle cgo.Handle
	refs   atomic.Int32
}

// newCallbacks gives nil where there is nothing to call.
func newCallbacks(auth AuthFunc, logger *slog.Logger) *callbacks {
	if auth == nil && logger == nil {
		return nil
	}
	cb := &callbacks{auth: auth, logger: logger}
	cb.handle = cgo.NewHandle(cb)
	return cb.retain()
}

func (cb *callbacks) retain() *callbacks {
	if cb != nil {
		cb.refs.Add(1)
	}
	return cb
}

func (cb *callbacks) release() {
	if cb != nil && cb.refs.Add(-1) == 0 {
		cb.handle.Delete()
	}
}

// user is what C hands back.
func (cb *callbacks) user() C.uintptr_t {
	if cb == nil {
		return 0
	}
	return C.uintptr_t(cb.handle)
}

// callOf finds the call that a callback serves. There is none while a session
// is freed: what goes wrong then ends there.
func callOf(current C.uintptr_t) *call {
	if current == 0 {
		return &call{ctx: context.Background()}
	}
	return cgo.Handle(current).Value().(*call)
}

//export mlregGoProgress
func mlregGoProgress(op *C.mlreg_op, current C.uintptr_t) C.int {
	c := callOf(current)
	stats := c.readStats(op)
	if c.progress == nil || c.guard(func() error { return c.progress(stats) }) {
		return 0
	}
	return 1
}

func ms(n C.uint64_t) time.Duration {
	return time.Duration(n) * time.Millisecond
}

// readBlobs reads on where the last look ended.
func (c *call) readBlobs(op *C.mlreg_op) []BlobStats {
	var b C.mlreg_blob_stats
	for C.mlreg_go_blob_at(op, C.size_t(len(c.blobs)), &b) == 0 {
		c.blobs = append(c.blobs, BlobStats{C.GoString(b.name), int64(b.bytes), ms(b.began_ms), ms(b.elapsed_ms)})
	}
	return slices.Clip(c.blobs) // who appends to it does not write into what comes
}

func (c *call) readStats(op *C.mlreg_op) Stats {
	var s C.mlreg_stats
	C.mlreg_go_stats(op, &s)
	return Stats{
		BlobsDone: int(s.blobs_done), BlobsTotal: int(s.blobs_total),
		Requests: int(s.requests), Retries: int(s.retries),
		BytesDone: int64(s.bytes_done), BytesTotal: int64(s.bytes_total),
		BytesNetwork: int64(s.bytes_network), BytesReused: int64(s.bytes_reused), BytesResumed: int64(s.bytes_resumed),
		Elapsed: ms(s.elapsed_ms),
		Wait:    ms(s.wait_ms), Network: ms(s.network_ms), Hash: ms(s.hash_ms), Write: ms(s.write_ms), Sync: ms(s.sync_ms),
		Blobs: c.readBlobs(op),
	}
}

//export mlregGoAuth
func mlregGoAuth(a *C.mlreg_auth, host, scope *C.char, user, current C.uintptr_t) C.int {
	cb, c := cgo.Handle(user).Value().(*callbacks), callOf(current)
	h, s := C.GoString(host), C.GoString(scope)
	var credential Credential
	if !c.guard(func() (err error) { credential, err = cb.auth(c.ctx, h, s); return }) {
		return codeOf(c.failure, C.MLREG_ECANCELLED)
	}
	return answer(c, a, credential)
}

// answer hands a credential over, or nothing for anonymous.
func answer(c *call, a *C.mlreg_auth, credential Credential) C.int {
	var t texts
	name, secret := t.need("the user's name", credential.Name), t.need("the secret", "")
	if credential.Token != "" {
		secret = t.need("the token", credential.Token)
	} else {
		secret = t.need("the secret", credential.Secret)
	}
	switch {
	case t.err != nil:
		c.failure = &Error{Code: ErrInvalid, Message: "the credential holds a NUL byte"} // and is not to be shown
		return C.MLREG_EINVAL
	case credential.Token != "":
		return C.mlreg_auth_set_token(a, secret)
	case credential != Credential{}:
		return C.mlreg_auth_set_basic(a, name, secret)
	}
	return 0
}

// codeOf is the code that an error of the user's carries, else another.
func codeOf(err error, other C.int) C.int {
	var code Code
	if errors.As(err, &code) && code >= C.MLREG_E_LAST && code < 0 {
		return C.int(code)
	}
	return other
}

//export mlregGoLog
func mlregGoLog(level C.int, line *C.char, user, current C.uintptr_t) {
	cb, c := cgo.Handle(user).Value().(*callbacks), callOf(current)
	text := C.GoString(line)
	c.guard(func() error {
		cb.logger.Log(c.ctx, slogLevel(level), text)
		return nil
	})
}

func slogLevel(level C.int) slog.Level {
	switch level {
	case C.MLREG_LOG_ERROR:
		return slog.LevelError
	case C.MLREG_LOG_WARN:
		return slog.LevelWarn
	case C.MLREG_LOG_INFO:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}
