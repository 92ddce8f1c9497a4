// descriptor.go - what some content is, by media type, digest and size.

package mlreg

/*
#include "bridge.h"
*/
import "C"

import (
	"maps"
	"slices"
)

// A Descriptor tells of some content. It is a copy: it outlives what it came
// from.
type Descriptor struct {
	MediaType    string
	Digest       string // "sha256:<hex>"
	Size         int64  // in bytes
	ArtifactType string // what the content is for; "" if it says nothing
	Title        string // the file that a layer stands for, as its maker wrote it, unchecked; "" if none is named
	Platform     string // "os/architecture[/variant]" of an index's entry; "" if none
	Annotations  map[string]string
}

func newDescriptor(d *C.mlreg_descriptor) Descriptor {
	return Descriptor{
		MediaType:    C.GoString(C.mlreg_descriptor_media_type(d)),
		Digest:       C.GoString(C.mlreg_descriptor_digest(d)),
		Size:         int64(C.mlreg_descriptor_bytes(d)),
		ArtifactType: C.GoString(C.mlreg_descriptor_artifact_type(d)),
		Title:        C.GoString(C.mlreg_descriptor_title(d)),
		Platform:     C.GoString(C.mlreg_descriptor_platform(d)),
		Annotations:  annotations(d),
	}
}

// copies gives what its caller may change.
func copies(list []Descriptor) []Descriptor {
	list = slices.Clone(list)
	for i := range list {
		list[i].Annotations = maps.Clone(list[i].Annotations)
	}
	return list
}

// annotations gives nil where there are none.
func annotations(d *C.mlreg_descriptor) map[string]string {
	var all map[string]string
	var key, value *C.char
	for i := C.size_t(0); C.mlreg_descriptor_annotation_at(d, i, &key, &value) == 0; i++ {
		if all == nil {
			all = map[string]string{}
		}
		all[C.GoString(key)] = C.GoString(value)
	}
	return all
}

// descriptors copies a list's descriptors, and frees the list.
func descriptors(l *C.mlreg_list) []Descriptor {
	if l == nil {
		return nil
	}
	defer C.mlreg_list_free(l)
	n := C.mlreg_list_count(l)
	out := make([]Descriptor, 0, int(n))
	for i := C.size_t(0); i < n; i++ {
		if d := C.mlreg_list_descriptor(l, i); d != nil {
			out = append(out, newDescriptor(d))
		}
	}
	return out
}
