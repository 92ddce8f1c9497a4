// text.go - Go strings, numbers and times as C wants them.

package mlreg

/*
#include "bridge.h"
*/
import "C"

import (
	"math"
	"strings"
	"time"
	"unsafe"
)

// none is the library's "none" or "no limit"; in 32 bits it is all ones too.
const none = math.MaxUint64

// texts turns strings into C strings and keeps the first problem. The bytes
// stay in Go memory: what C gets for the length of one call may lie there.
type texts struct{ err error }

// need gives s with a zero behind it.
func (t *texts) need(what, s string) *C.char {
	if strings.IndexByte(s, 0) >= 0 && t.err == nil {
		t.err = invalid("%s %q holds a NUL byte", what, s)
	}
	b := append(make([]byte, 0, len(s)+1), s...)
	return (*C.char)(unsafe.Pointer(unsafe.SliceData(append(b, 0))))
}

// may gives nil for "", else the same as need.
func (t *texts) may(what, s string) *C.char {
	if s == "" {
		return nil
	}
	return t.need(what, s)
}

// list gives the strings one behind the other, each with its zero.
func (t *texts) list(what string, list []string) (*C.char, C.size_t) {
	if len(list) == 0 {
		return nil, 0
	}
	var flat []byte
	for _, s := range list {
		if strings.IndexByte(s, 0) >= 0 && t.err == nil {
			t.err = invalid("%s %q holds a NUL byte", what, s)
		}
		flat = append(append(flat, s...), 0)
	}
	return (*C.char)(unsafe.Pointer(unsafe.SliceData(flat))), C.size_t(len(list))
}

// ms gives milliseconds, rounded up so that a short time is not "default";
// negative is none.
func (t *texts) ms(what string, d time.Duration) C.uint32_t {
	if d < 0 {
		return math.MaxUint32
	}
	n := ceilMs(d)
	if n >= math.MaxUint32 && t.err == nil {
		t.err = invalid("%s of %v is too long", what, d)
	}
	return C.uint32_t(n)
}

func ceilMs(d time.Duration) uint64 {
	return uint64(d/time.Millisecond) + uint64((d%time.Millisecond+time.Millisecond-1)/time.Millisecond)
}

// count gives a number of things; negative is none.
func (t *texts) count(what string, n int) C.uint32_t {
	if n < 0 {
		return math.MaxUint32
	}
	if uint64(n) >= math.MaxUint32 && t.err == nil {
		t.err = invalid("%s of %d is too much", what, n)
	}
	return C.uint32_t(n)
}

// amount gives a number of bytes; negative is none.
func amount(n int64) C.uint64_t {
	if n < 0 {
		return none
	}
	return C.uint64_t(n)
}

// flag gives bit where it is set.
func flag(set bool, bit C.uint32_t) C.uint32_t {
	if set {
		return bit
	}
	return 0
}

// listed gives the list that call fills in. It is freed where call fails, or
// where a callback's panic leaves nobody to take it.
func listed(call func(out **C.mlreg_list) error) (taken *C.mlreg_list, err error) {
	var l *C.mlreg_list
	defer func() {
		if taken == nil {
			C.mlreg_list_free(l)
		}
	}()
	if err := call(&l); err != nil {
		return nil, err
	}
	return l, nil
}

// names copies a list's names, and frees the list.
func names(l *C.mlreg_list) []string {
	if l == nil {
		return nil
	}
	defer C.mlreg_list_free(l)
	n := C.mlreg_list_count(l)
	out := make([]string, 0, int(n))
	for i := C.size_t(0); i < n; i++ {
		out = append(out, C.GoString(C.mlreg_list_name(l, i)))
	}
	return out
}
