// variants_test.go - indexes from Go: built, changed, chosen from, copied in part.

package mlreg

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

const (
	pc  = `{"architecture":"amd64","memory_bytes":16000000000}`
	gpu = `{"architecture":"amd64","accelerators":[{"kind":"cuda","compute":"8.0"}]}`
)

// twoVariants makes "m:v1" of "cpu" and "cuda".
func twoVariants(t *testing.T, s *Session) *Artifact {
	ctx := bg
	index := must[*Builder](t)(s.NewIndexBuilder())
	defer index.Close()
	for _, v := range []Variant{{Name: "cuda", Compute: "8.0"}, {Name: "cpu", Platform: "linux/amd64"}} {
		b := must[*Builder](t)(s.NewBuilder(""))
		if err := b.AddBytes(ctx, []byte(v.Name), &LayerOptions{Title: "model.bin"}); err != nil {
			t.Fatal(err)
		}
		child := must[*Artifact](t)(b.Commit(ctx, "m:"+v.Name, nil))
		if err := index.AddChild(child, v); err != nil {
			t.Fatal(err)
		}
		child.Close()
		b.Close()
	}
	return must[*Artifact](t)(index.Commit(ctx, "m:v1", nil))
}

func TestVariantsAreChosenByTheMachine(t *testing.T) {
	ctx := bg
	s := memory(t)
	index := twoVariants(t, s)
	defer index.Close()
	for host, want := range map[string]string{pc: "cpu", gpu: "cuda"} {
		a := must[*Artifact](t)(s.ResolveVariant(ctx, "m:v1", &Wish{Host: host}))
		if got := string(must[[]byte](t)(fs.ReadFile(a.FS(ctx), "model.bin"))); got != want {
			t.Errorf("%s gets %s", host, got)
		}
		a.Close()
	}
	if _, err := s.ResolveVariant(ctx, "m:v1", &Wish{Host: pc, Accelerator: "cuda"}); !errors.Is(err, ErrNotSupported) {
		t.Error(err)
	}
	listed := must[[]Descriptor](t)(s.Variants(ctx, "m:v1", &Wish{Host: gpu}))
	if len(listed) != 2 || listed[0].Annotations["io.github.libmlreg.variant.fit"] != "chosen" {
		t.Error(listed)
	}
}

func TestVariantsOfAnIndexAreChangedAndCopiedInPart(t *testing.T) {
	ctx := bg
	s, to := memory(t), memory(t)
	first := twoVariants(t, s)
	defer first.Close()
	part := must[*Artifact](t)(Copy(ctx, s, "m:v1", to, "", &CopyOptions{Variant: &Wish{Host: pc}}))
	part.Close()
	if _, err := Copy(ctx, to, "m:v1", s, "m:v2", &CopyOptions{AllVariants: true}); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	b := must[*Builder](t)(s.NewIndexBuilder())
	defer b.Close()
	if err := errors.Join(b.AddChildrenOf(first), b.RemoveChild("cuda")); err != nil {
		t.Fatal(err)
	}
	changed := must[*Artifact](t)(b.Commit(ctx, "m:v1", &CommitOptions{MoveTag: true, ExpectDigest: first.Digest()}))
	defer changed.Close()
	if n := len(changed.Children()); n != 1 {
		t.Error(n)
	}
}

func TestVariantsHostIsThisMachine(t *testing.T) {
	if json := must[string](t)(HostJSON()); !strings.Contains(json, `"architecture"`) {
		t.Error(json)
	}
}
