// session.go - one open place.

package mlreg

/*
#include "bridge.h"
*/
import "C"

import (
	"context"
	"log/slog"
	"time"
)

// Options say how to open a place; their zero values are the defaults.
type Options struct {
	Create    bool // a store or layout that is not there is made
	ReadOnly  bool // every writing call is [ErrDenied]; nothing on disk changes
	PlainHTTP bool // http to any host; to this machine "http://…" works without it

	ConnectTimeout time.Duration // default 10 s; negative: none
	StallTimeout   time.Duration // without one byte; default 30 s; negative: none
	MaxRetries     int           // only where repeating is safe; default 4, negative: none

	Runtime        *Runtime // shared with other sessions; nil: its own
	CAFile         string   // PEM; default $SSL_CERT_FILE, $CURL_CA_BUNDLE, the system's
	ClientCertFile string   // PEM
	ClientKeyFile  string   // PEM

	Auth   AuthFunc     // default: what docker login left, with its helpers
	Logger *slog.Logger // default: silent; what it gets holds no secrets
}

// A Session is one open place that holds artifacts.
type Session struct {
	_  noCopy
	h  *handle[*C.mlreg_session]
	cb *callbacks
}

// Open opens a place: "https://host[:port]" (or "http://…"), "oci:DIR",
// "memory:", or the directory of a store. Nil options are all defaults.
//
// Opening a registry does not yet talk to it. Where nothing is and Create is
// not set the error is [ErrNotFound]; where something else is, [ErrProtocol];
// plain http to another host is [ErrDenied]. Close the session.
func Open(ctx context.Context, location string, opts *Options) (*Session, error) {
	if err := checkLibrary(); err != nil {
		return nil, err
	}
	if opts == nil {
		opts = &Options{}
	}
	runtime, done, err := opts.Runtime.use()
	if err != nil {
		return nil, err
	}
	defer done()
	cb := newCallbacks(opts.Auth, opts.Logger)
	defer cb.release()
	return open(ctx, location, opts, runtime, cb)
}

func open(ctx context.Context, location string, opts *Options, runtime *C.mlreg_runtime, cb *callbacks) (*Session, error) {
	var t texts
	where, flags := t.need("the location", location), opts.flags()
	connect, stall := t.ms("ConnectTimeout", opts.ConnectTimeout), t.ms("StallTimeout", opts.StallTimeout)
	retries, ca := t.count("MaxRetries", opts.MaxRetries), t.may("CAFile", opts.CAFile)
	cert, key := t.may("ClientCertFile", opts.ClientCertFile), t.may("ClientKeyFile", opts.ClientKeyFile)
	if t.err != nil {
		return nil, t.err
	}
	var out *Session
	err := do(ctx, watch{callbacks: cb != nil}, func(_ *C.mlreg_op, e **C.mlreg_error) C.int {
		var s *C.mlreg_session
		rc := C.mlreg_go_session_open(where, flags, connect, stall, retries, runtime, ca, cert, key, cb.user(),
			truth(opts.Auth != nil), truth(opts.Logger != nil), &s, e)
		if rc == 0 {
			out = newSession(s, cb)
		}
		return rc
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (o *Options) flags() C.uint32_t {
	return flag(o.Create, C.MLREG_OPEN_CREATE) | flag(o.ReadOnly, C.MLREG_OPEN_READONLY) |
		flag(o.PlainHTTP, C.MLREG_OPEN_PLAIN_HTTP)
}

func truth(b bool) C.int { return C.int(flag(b, 1)) }

func newSession(object *C.mlreg_session, cb *callbacks) *Session {
	cb.retain()
	s := &Session{cb: cb}
	s.h = newHandle(s, "session", object, func(object *C.mlreg_session) {
		C.mlreg_session_free(object)
		cb.release()
	})
	return s
}

// use gives the C session, to be followed by s.h.done().
func (s *Session) use() (*C.mlreg_session, error) {
	if s == nil {
		return nil, invalid("the session is nil")
	}
	if s.h == nil {
		return nil, closed("session")
	}
	return s.h.use()
}

// do makes one C call on the session.
func (s *Session) do(ctx context.Context, w watch, f func(s *C.mlreg_session, op *C.mlreg_op, e **C.mlreg_error) C.int) error {
	object, err := s.use()
	if err != nil {
		return err
	}
	defer s.h.done()
	w.callbacks = s.cb != nil
	return do(ctx, w, func(op *C.mlreg_op, e **C.mlreg_error) C.int { return f(object, op, e) })
}

// Close gives the place up. Artifacts, streams and builders that came from it
// live on. The error is always nil.
func (s *Session) Close() error {
	if s != nil && s.h != nil {
		s.h.close()
	}
	return nil
}

// Capabilities are what a place can do.
type Capabilities uint32

// What a place can do.
const (
	CanRange     Capabilities = C.MLREG_CAN_RANGE     // hand out parts of a blob
	CanReferrers Capabilities = C.MLREG_CAN_REFERRERS // list what refers to an artifact
	CanMount     Capabilities = C.MLREG_CAN_MOUNT     // take a blob from a repository beside
	CanDelete    Capabilities = C.MLREG_CAN_DELETE
)

// Has reports whether all of what is in c.
func (c Capabilities) Has(what Capabilities) bool { return c&what == what }

// Capabilities gives what this place can do, as far as is known by now; a
// closed one can do nothing.
func (s *Session) Capabilities() Capabilities {
	object, err := s.use()
	if err != nil {
		return 0
	}
	defer s.h.done()
	return Capabilities(C.mlreg_session_capabilities(object))
}
