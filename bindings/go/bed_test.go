// bed_test.go - what the tests share: places, artifacts, and claims about errors.

package mlreg

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

var bg = context.Background()

// must stops the test at an error.
func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("unexpected: %v", err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected: %v", err)
	}
}

// fails claims that err is an *Error that matches all of these.
func fails(t testing.TB, err error, targets ...error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is no *Error", err, err)
	}
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Fatalf("%v is not %v", err, target)
		}
	}
}

func place(t testing.TB, location string, opts *Options) *Session {
	t.Helper()
	s := must[*Session](t)(Open(bg, location, opts))
	t.Cleanup(func() { s.Close() })
	return s
}

func memory(t testing.TB) *Session { t.Helper(); return place(t, "memory:", nil) }

func store(t testing.TB) *Session {
	t.Helper()
	return place(t, t.TempDir()+"/store", &Options{Create: true})
}

// eachPlace runs a test over memory, a store, a layout and every registry at hand, side by side.
func eachPlace(t *testing.T, f func(t *testing.T, s *Session)) {
	run := func(name string, open func(t testing.TB) *Session) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
	run("memory", memory)
	run("store", store)
	run("layout", func(t testing.TB) *Session { return place(t, "oci:"+t.TempDir()+"/out", &Options{Create: true}) })
	for _, location := range registries() {
		run(location, func(t testing.TB) *Session { return hub(t, location) })
	}
}

// hub opens a registry of the bed.
func hub(t testing.TB, location string) *Session {
	t.Helper()
	return place(t, location, &Options{CAFile: os.Getenv("MLREG_TEST_CA_FILE")})
}

func registries() []string { return strings.Fields(os.Getenv("MLREG_TEST_REGISTRY")) }

// fresh is a repository that no other test uses; "" of a layout, which is one.
func fresh(t testing.TB) string {
	return "go/" + strings.NewReplacer("_", "-", "/", "-", ":", "-", "--", "-", ".", "-").Replace(strings.ToLower(t.Name()))
}

// build commits an artifact of these titles and contents.
func build(t testing.TB, s *Session, ref string, files ...string) *Artifact {
	t.Helper()
	b := must[*Builder](t)(s.NewBuilder(""))
	defer b.Close()
	for i := 0; i < len(files); i += 2 {
		ok(t, b.AddBytes(bg, []byte(files[i+1]), &LayerOptions{Title: files[i]}))
	}
	a := must[*Artifact](t)(b.Commit(bg, ref, nil))
	t.Cleanup(func() { a.Close() })
	return a
}

// noNewGoroutines claims that f leaves none behind.
func noNewGoroutines(t *testing.T, f func()) {
	t.Helper()
	before := runtime.NumGoroutine()
	f()
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines more:\n%s", runtime.NumGoroutine()-before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// recovered gives what f panics with.
func recovered(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}
