// variants.go - indexes: what each entry needs of a machine, and which one fits.

package mlreg

/*
#include "bridge.h"
*/
import "C"

import "context"

// A Wish says what is wanted of an index; the zero Wish is the entry that fits
// this machine best.
type Wish struct {
	Platform    string // "os/arch[/variant]" in place of this machine's
	Variant     string // the entry of this name, whether it fits or not
	Accelerator string // "none": as if there were no device; "cuda", "rocm": only entries for it
	Precision   string // preferred ones, the best first: "bf16 int8"
	Host        string // a machine's description in place of this one: see [HostJSON]
}

// wished holds a Wish's strings for the length of a call.
type wished struct {
	wanted                                          bool
	platform, variant, accelerator, precision, host *C.char
}

func (t *texts) wish(w *Wish) wished {
	if w == nil {
		return wished{}
	}
	return wished{true, t.may("Platform", w.Platform), t.may("Variant", w.Variant), t.may("Accelerator", w.Accelerator),
		t.may("Precision", w.Precision), t.may("Host", w.Host)}
}

func (w wished) c() C.mlreg_go_wish {
	return C.mlreg_go_wish{wanted: truth(w.wanted), platform: w.platform, variant: w.variant, accelerator: w.accelerator,
		precision: w.precision, host: w.host}
}

// HostJSON tells what this machine is: architecture, CPU features, memory,
// accelerators, and notes on what keeps one from being used.
func HostJSON() (string, error) {
	var out string
	err := do(context.Background(), watch{}, func(_ *C.mlreg_op, e **C.mlreg_error) C.int {
		var json *C.char
		rc := C.mlreg_host_json(&json, e)
		if rc == 0 {
			out = C.GoString(json)
		}
		return rc
	})
	return out, err
}

// Variants gives the entries of an index, the best fit first; none if ref names
// no index. Annotations tell what each needs, and under
// "io.github.libmlreg.variant.fit" whether it is "chosen", "fits" or "no".
func (s *Session) Variants(ctx context.Context, ref string, w *Wish) ([]Descriptor, error) {
	var t texts
	cref, wish := t.need("the reference", ref), t.wish(w)
	if t.err != nil {
		return nil, t.err
	}
	l, err := s.list(ctx, watch{}, func(cs *C.mlreg_session, op *C.mlreg_op, out **C.mlreg_list, e **C.mlreg_error) C.int {
		return C.mlreg_go_variants(cs, cref, wish.c(), op, out, e)
	})
	return descriptors(l), err
}

// A Variant says what an entry of an index needs; what is not set is not
// needed.
type Variant struct {
	Name            string // "cpu", "cuda-12.4"; once for each platform
	Platform        string // "os/arch[/variant]"; default: as an image's config says; others: any
	Accelerator     string // "none", "cuda", "rocm" or another kind; default: as the name begins, else none
	Compute         string // least compute capability "8.0", or gfx targets: "gfx90a gfx942"
	Driver, Runtime string // least versions
	CPU             string // features, as Linux names them: "avx512f amx_tile", "sve"
	Precision       string // "bf16", "int8"
	Format          string // "safetensors", "gguf"
	MemoryBytes     int64  // of the accelerators together, else of the machine
}

// NewIndexBuilder begins an index in this place; AddChild adds its entries.
func (s *Session) NewIndexBuilder() (*Builder, error) {
	return s.newBuilder(C.MLREG_BUILD_INDEX, "")
}

// AddChildrenOf begins an index with what another one has, to be changed;
// before anything is added.
func (b *Builder) AddChildrenOf(index *Artifact) error {
	return b.give(index, func(cb *C.mlreg_builder, a *C.mlreg_artifact, e **C.mlreg_error) C.int {
		return C.mlreg_builder_add_children_of(cb, a, e)
	})
}

// AddChild adds an artifact, image or index as an entry of an index. Commit
// copies, or mounts, it to where the index goes.
func (b *Builder) AddChild(child *Artifact, v Variant) error {
	var t texts
	name, platform, accelerator := t.need("Name", v.Name), t.may("Platform", v.Platform), t.may("Accelerator", v.Accelerator)
	compute, driver, runtime := t.may("Compute", v.Compute), t.may("Driver", v.Driver), t.may("Runtime", v.Runtime)
	cpu, precision, format := t.may("CPU", v.CPU), t.may("Precision", v.Precision), t.may("Format", v.Format)
	if t.err != nil {
		return t.err
	}
	if v.MemoryBytes < 0 {
		return invalid("a memory of %d bytes", v.MemoryBytes)
	}
	return b.give(child, func(cb *C.mlreg_builder, a *C.mlreg_artifact, e **C.mlreg_error) C.int {
		return C.mlreg_go_add_child(cb, a, name, platform, accelerator, compute, driver, runtime, cpu, precision, format,
			C.uint64_t(v.MemoryBytes), e)
	})
}

// RemoveChild takes out the entries of this name, or of this digest.
func (b *Builder) RemoveChild(name string) error {
	var t texts
	cname := t.need("the name", name)
	if t.err != nil {
		return t.err
	}
	return b.set(func(cb *C.mlreg_builder, e **C.mlreg_error) C.int { return C.mlreg_builder_remove_child(cb, cname, e) })
}
