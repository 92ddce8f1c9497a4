// name.go - how people write where something is, taken apart.

package mlreg

/*
#include "bridge.h"
*/
import "C"

// A Name is the parts of a written name, such as "ghcr.io/team/llama:v1" (a
// registry's: the first part holds a dot or a colon, or is "localhost"),
// "oci:DIR[:TAG]" (a layout's) or "llama:v1" (a store's). "@sha256:<hex>" may
// stand wherever a tag does.
type Name struct {
	Location   string // what to give to [Open]; "" where a store is meant
	Ref        string // the reference within that location: "team/llama:v1"
	Stored     string // the reference under which a store keeps it: "ghcr.io/team/llama:v1"
	Repository string // without tag and digest; "" for a layout
	Tag        string // "" where none was written
	Digest     string // "" where none was written
}

// ParseName takes a name apart. A malformed one is [ErrInvalid], a digest that
// is not sha256 [ErrNotSupported].
func ParseName(text string) (Name, error) {
	if err := checkLibrary(); err != nil {
		return Name{}, err
	}
	var t texts
	ctext := t.need("the name", text)
	if t.err != nil {
		return Name{}, t.err
	}
	var n *C.mlreg_name
	var e *C.mlreg_error
	rc := C.mlreg_name_parse(ctext, &n, &e)
	if rc < 0 {
		return Name{}, take(int64(rc), e)
	}
	defer C.mlreg_name_free(n)
	return Name{
		Location:   C.GoString(C.mlreg_name_location(n)),
		Ref:        C.GoString(C.mlreg_name_ref(n)),
		Stored:     C.GoString(C.mlreg_name_stored(n)),
		Repository: C.GoString(C.mlreg_name_repository(n)),
		Tag:        C.GoString(C.mlreg_name_tag(n)),
		Digest:     C.GoString(C.mlreg_name_digest(n)),
	}, nil
}
