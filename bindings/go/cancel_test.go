// cancel_test.go - contexts end calls within a second, and nothing stays behind.

package mlreg

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

// soon is how fast a cancelled call must return.
const soon = time.Second

// stalled is a registry that takes requests and never answers.
func stalled(t *testing.T) (location string, asked <-chan struct{}) {
	stop, first := make(chan struct{}), make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case first <- struct{}{}:
		default:
		}
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { close(stop); server.Close() })
	return server.URL, first
}

// within claims that f returns soon after the context of the call ends.
func within(t *testing.T, ctx context.Context, f func() error) error {
	t.Helper()
	err := f()
	now := time.Now()
	if ctx.Err() == nil {
		t.Fatalf("returned before its context ended: %v", err)
	}
	if deadline, has := ctx.Deadline(); has && now.Sub(deadline) > soon {
		t.Fatalf("returned %v late", now.Sub(deadline))
	}
	return err
}

func TestContextTimesOutEveryCallOnAStalledRegistry(t *testing.T) {
	location, _ := stalled(t)
	s, m := place(t, location, nil), memory(t)
	build(t, m, "m:v1", "a", "alpha")
	b := must[*Builder](t)(s.NewBuilder(""))
	defer b.Close()
	ok(t, b.AddBytes(bg, []byte("alpha"), &LayerOptions{Title: "a"}))
	calls := map[string]func(ctx context.Context) error{
		"copy from":    func(ctx context.Context) error { _, err := Copy(ctx, s, "m:v1", m, "", nil); return err },
		"copy to":      func(ctx context.Context) error { _, err := Copy(ctx, m, "m:v1", s, "", nil); return err },
		"resolve":      func(ctx context.Context) error { _, err := s.Resolve(ctx, "m:v1"); return err },
		"tags":         func(ctx context.Context) error { _, err := s.Tags(ctx, "m"); return err },
		"repositories": func(ctx context.Context) error { _, err := s.Repositories(ctx); return err },
		"referrers":    func(ctx context.Context) error { _, err := s.Referrers(ctx, "m:v1", ""); return err },
		"delete":       func(ctx context.Context) error { return s.Delete(ctx, "m:v1") },
		"commit":       func(ctx context.Context) error { _, err := b.Commit(ctx, "m:v1", nil); return err },
		"variants":     func(ctx context.Context) error { _, err := s.Variants(ctx, "m:v1", nil); return err },
		"login":        func(ctx context.Context) error { _, err := s.Login(ctx, "n", "s"); return err },
	}
	for name, f := range calls {
		t.Run(name, func(t *testing.T) {
			noNewGoroutines(t, func() {
				ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
				defer cancel()
				err := within(t, ctx, func() error { return f(ctx) })
				fails(t, err, ErrCancelled, context.DeadlineExceeded)
				var e *Error
				if errors.As(err, &e); !e.Timeout() || errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Millisecond) // the server's side ends too
			})
		})
	}
}

func TestContextCancelsFromAnotherGoroutine(t *testing.T) {
	location, asked := stalled(t)
	s := place(t, location, nil)
	ctx, cancel := context.WithCancelCause(bg)
	why := errors.New("the user left")
	var at time.Time
	go func() { <-asked; at = time.Now(); cancel(why) }()
	_, err := s.Resolve(ctx, "m:v1")
	if late := time.Since(at); late > soon {
		t.Fatal(late)
	}
	fails(t, err, ErrCancelled, context.Canceled, why)
}

func TestContextThatEndedBeforeStartsNothing(t *testing.T) {
	s := memory(t)
	a := build(t, s, "m:v1", "a", "alpha")
	ctx, cancel := context.WithCancel(bg)
	cancel()
	_, err := Open(ctx, t.TempDir()+"/never", &Options{Create: true})
	fails(t, err, ErrCancelled, context.Canceled)
	_, err = Copy(ctx, s, "m:v1", s, "n:v1", nil)
	fails(t, err, ErrCancelled, context.Canceled)
	_, err = a.OpenLayer(ctx, 0, nil)
	fails(t, err, ErrCancelled, context.Canceled)
	fails(t, a.Checkout(ctx, t.TempDir()+"/never", nil), ErrCancelled, context.Canceled)
	if _, err := a.FS(ctx).Open("a"); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestContextRulesAStreamForItsWholeLife(t *testing.T) {
	ctx, cancel := context.WithCancel(bg)
	a := build(t, memory(t), "m:v1", "a", "alpha")
	s := must[*Stream](t)(a.OpenLayer(ctx, 0, nil))
	defer s.Close()
	must[int](t)(s.Read(make([]byte, 2)))
	cancel()
	_, err := s.Read(make([]byte, 1))
	fails(t, err, ErrCancelled, context.Canceled)
	_, err = s.ReadAt(make([]byte, 1), 0)
	fails(t, err, ErrCancelled, context.Canceled)
}

// slowBlob serves a registry's model whose one layer stops in the middle.
func slowBlob(t *testing.T) *Artifact {
	m := memory(t)
	model := build(t, m, "m:v1", "big", string(bulk(4<<20)))
	layer := model.Layers()[0]
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v2/m/manifests/v1":
			w.Header().Set("Content-Type", model.Descriptor().MediaType)
			w.Write(model.JSON())
		case "/v2/m/blobs/" + layer.Digest:
			w.Header().Set("Content-Length", "4194304")
			w.Write(bulk(4 << 20)[:1<<20])
			w.(http.Flusher).Flush()
			select {
			case <-stop:
			case <-r.Context().Done():
			}
		default:
			w.WriteHeader(http.StatusOK)
		}
	}))
	t.Cleanup(func() { close(stop); server.Close() })
	a := must[*Artifact](t)(place(t, server.URL, nil).Resolve(bg, "m:v1"))
	t.Cleanup(func() { a.Close() })
	return a
}

func TestContextEndsACheckoutThatHangsAndLeavesNoFile(t *testing.T) {
	a, dir := slowBlob(t), t.TempDir()+"/out"
	ctx, cancel := context.WithTimeout(bg, 100*time.Millisecond)
	defer cancel()
	err := within(t, ctx, func() error { return a.Checkout(ctx, dir, nil) })
	fails(t, err, ErrCancelled, context.DeadlineExceeded)
	if _, err := os.Stat(dir + "/big"); err == nil {
		t.Fatal("half a file")
	}
}

func TestCloseEndsAReadThatHangs(t *testing.T) {
	s := must[*Stream](t)(slowBlob(t).OpenLayer(bg, 0, &StreamOptions{Unverified: true}))
	var at time.Time
	time.AfterFunc(100*time.Millisecond, func() { at = time.Now(); s.Close() })
	_, err := io.ReadAll(s)
	fails(t, err, ErrClosed)
	if late := time.Since(at); late > soon {
		t.Fatal(late)
	}
}

func TestContextAndCloseMayRace(t *testing.T) {
	a := build(t, memory(t), "m:v1", "a", string(bulk(10_000)))
	noNewGoroutines(t, func() {
		for range 300 {
			ctx, cancel := context.WithCancel(bg)
			s := must[*Stream](t)(a.OpenLayer(ctx, 0, nil))
			go cancel()
			go s.Close()
			s.Read(make([]byte, 5000))
			s.ReadAt(make([]byte, 5000), 100)
			s.Close()
			cancel()
		}
	})
}
