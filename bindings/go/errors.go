// errors.go - what went wrong, for people and for errors.Is and errors.As.

package mlreg

/*
#cgo pkg-config: mlreg
#include "bridge.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// A Code says in general what went wrong. It is an error of its own, so that
// it can be the target of [errors.Is] and of [errors.As], as the example of
// [Error] shows.
type Code int

// The codes of the library. ErrInvalid and ErrState are bugs of the caller;
// after ErrNetwork and ErrTimedOut the same call may be made again, and what
// arrived verified is not fetched twice.
const (
	ErrNoMemory     Code = C.MLREG_ENOMEM
	ErrInvalid      Code = C.MLREG_EINVAL // also [fs.ErrInvalid]
	ErrState        Code = C.MLREG_ESTATE
	ErrStruct       Code = C.MLREG_ESTRUCT   // the loaded library is older than what was asked of it
	ErrNotFound     Code = C.MLREG_ENOTFOUND // also [fs.ErrNotExist]
	ErrExists       Code = C.MLREG_EEXISTS   // also [fs.ErrExist]
	ErrAuth         Code = C.MLREG_EAUTH     // also [fs.ErrPermission]
	ErrDenied       Code = C.MLREG_EDENIED   // also [fs.ErrPermission]
	ErrNetwork      Code = C.MLREG_ENET
	ErrTimedOut     Code = C.MLREG_ETIMEDOUT
	ErrCancelled    Code = C.MLREG_ECANCELLED // also [context.Canceled] or [context.DeadlineExceeded], if the context was why
	ErrProtocol     Code = C.MLREG_EPROTO
	ErrDigest       Code = C.MLREG_EDIGEST
	ErrIO           Code = C.MLREG_EIO
	ErrPolicy       Code = C.MLREG_EPOLICY
	ErrBusy         Code = C.MLREG_EBUSY
	ErrLimit        Code = C.MLREG_ELIMIT
	ErrNotSupported Code = C.MLREG_ENOTSUP // also [errors.ErrUnsupported]
)

// ErrClosed is what a call on a closed handle fails with.
var ErrClosed = fs.ErrClosed

// Error says what the code means: "not found".
func (c Code) Error() string {
	text := C.mlreg_strerror(C.int(c))
	return C.GoString(text)
}

// Is makes the standard library's errors match the codes that mean the same.
func (c Code) Is(target error) bool {
	switch c {
	case ErrInvalid:
		return target == fs.ErrInvalid
	case ErrNotFound:
		return target == fs.ErrNotExist
	case ErrExists:
		return target == fs.ErrExist
	case ErrAuth, ErrDenied:
		return target == fs.ErrPermission
	case ErrNotSupported:
		return target == errors.ErrUnsupported
	}
	return false
}

// Timeout reports whether the code is [ErrTimedOut], as in [net.Error].
func (c Code) Timeout() bool { return c == ErrTimedOut }

// An Error is what calls of this package fail with. What is not known is empty
// or 0.
type Error struct {
	Code         Code
	Message      string // what happened, in one line
	Subject      string // what it happened to: a reference, digest or path
	Place        string // where it happened: the end of a copy that failed, by its location
	RegistryCode string // the registry's own code, such as "MANIFEST_UNKNOWN"
	Hint         string // what to do now, in one line
	HTTPStatus   int    // of the answer behind it

	causes []error // what a callback returned, or the context's reasons
}

// Error gives the message and, where it does not say so itself, the subject;
// behind it what a callback returned, or why the context ended.
func (e *Error) Error() string {
	text := "mlreg: "
	if e.Subject != "" && !strings.Contains(e.Message, e.Subject) {
		text += e.Subject + ": "
	}
	text += e.Message
	for _, cause := range e.causes {
		if cause != ErrClosed { // the message says it
			text += ": " + cause.Error()
		}
	}
	return text
}

// Unwrap gives the code and, where there are any, the errors that caused this
// one: the context's, or what a callback returned.
func (e *Error) Unwrap() []error { return append([]error{e.Code}, e.causes...) }

// Timeout reports whether time ran out, be it the library's or the context's;
// see [net.Error].
func (e *Error) Timeout() bool {
	return e.Code.Timeout() || errors.Is(e, context.DeadlineExceeded)
}

// invalid is an argument that must not reach C.
func invalid(format string, args ...any) *Error {
	return &Error{Code: ErrInvalid, Message: fmt.Sprintf(format, args...)}
}

// closed is a handle that is used after its end.
func closed(what string) *Error {
	return &Error{Code: ErrState, Message: "the " + what + " is closed", causes: []error{ErrClosed}}
}

// ended is a call that its context does not allow, or no longer.
func ended(ctx context.Context) *Error {
	return &Error{Code: ErrCancelled, Message: ErrCancelled.Error(), causes: reasons(ctx)}
}

// reasons are ctx.Err() and, where the canceller gave another, its own.
func reasons(ctx context.Context) []error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if err == nil {
		return nil
	}
	if cause == err {
		return []error{err}
	}
	return []error{err, cause}
}

// take makes a Go error of what a C call reported, and frees that; of nothing
// it makes what the code says.
func take(rc int64, e *C.mlreg_error) *Error {
	if e == nil {
		return &Error{Code: Code(rc), Message: Code(rc).Error()}
	}
	defer C.mlreg_error_free(e)
	return &Error{
		Code:         Code(rc),
		Message:      C.GoString(C.mlreg_error_message(e)),
		Subject:      C.GoString(C.mlreg_error_subject(e)),
		Place:        C.GoString(C.mlreg_error_place(e)),
		RegistryCode: C.GoString(C.mlreg_error_registry_code(e)),
		Hint:         C.GoString(C.mlreg_error_hint(e)),
		HTTPStatus:   int(C.mlreg_error_http_status(e)),
	}
}
