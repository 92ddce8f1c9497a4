// callbacks_test.go - progress, credentials, logs and sources: what they return or panic with comes out of the call.

package mlreg

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestProgressCountsAndLeavesNoGoroutines(t *testing.T) {
	from := memory(t)
	build(t, from, "m:v1", "a", string(bulk(5<<20)))
	noNewGoroutines(t, func() {
		for range 20 {
			to := memory(t)
			var all []Stats
			a := must[*Artifact](t)(Copy(bg, from, "m:v1", to, "", &CopyOptions{ProgressInterval: time.Millisecond, Progress: func(s Stats) error {
				all = append(all, s)
				return nil
			}}))
			a.Close()
			last := all[len(all)-1]
			if last.BytesDone != last.BytesTotal || last.BytesDone < 5<<20 || last.BlobsDone == 0 {
				t.Fatalf("%+v", last)
			}
			if len(last.Blobs) != last.BlobsDone || last.Blobs[len(last.Blobs)-1].Name == "" || last.Hash <= 0 {
				t.Fatalf("%+v", last)
			}
		}
	})
}

func TestProgressComesThoughNoByteMovesAndItsErrorEndsTheCall(t *testing.T) {
	location, _ := stalled(t)
	why, n := errors.New("enough"), 0
	began := time.Now()
	_, err := Copy(bg, place(t, location, nil), "m:v1", memory(t), "", &CopyOptions{ProgressInterval: 10 * time.Millisecond, Progress: func(Stats) error {
		if n++; n == 5 {
			return why
		}
		return nil
	}})
	fails(t, err, ErrCancelled, why)
	if errors.Is(err, context.Canceled) || n != 5 || time.Since(began) > 2*soon {
		t.Fatal(err, n, time.Since(began))
	}
}

// The last report comes when all is done: its error is told nevertheless.
func TestTheLastReportsErrorComesOutToo(t *testing.T) {
	why := errors.New("enough")
	refuse := func(Stats) error { return why }
	s := memory(t)
	a := build(t, s, "m:v1", "a", "alpha")
	noNewGoroutines(t, func() {
		copied, err := Copy(bg, s, "m:v1", memory(t), "", &CopyOptions{Progress: refuse})
		fails(t, err, ErrCancelled, why)
		stream, err := a.OpenLayer(bg, 0, &StreamOptions{Progress: refuse})
		fails(t, err, ErrCancelled, why)
		if copied != nil || stream != nil || !strings.HasSuffix(err.Error(), ": enough") {
			t.Fatal(copied, stream, err)
		}
	})
}

// A context that ends when all is done makes no failure of that.
func TestContextThatEndsAfterTheWorkChangesNothing(t *testing.T) {
	s := memory(t)
	build(t, s, "m:v1", "a", "alpha")
	ctx, cancel := context.WithCancel(bg)
	must[*Artifact](t)(Copy(ctx, s, "m:v1", memory(t), "", &CopyOptions{Progress: func(Stats) error { cancel(); return nil }})).Close()
	if ctx.Err() == nil {
		t.Fatal("nothing was reported")
	}
}

func TestReportsMayBeKeptAndAppendedTo(t *testing.T) {
	s := memory(t)
	build(t, s, "m:v1", "a", "1", "b", "2", "c", "3")
	mine := BlobStats{Name: "mine"}
	var last Stats
	must[*Artifact](t)(Copy(bg, s, "m:v1", memory(t), "", &CopyOptions{Progress: func(s Stats) error {
		last = s
		_ = append(s.Blobs, mine)
		return nil
	}})).Close()
	if len(last.Blobs) != cap(last.Blobs) {
		t.Fatal(len(last.Blobs), cap(last.Blobs))
	}
}

func TestEveryLongCallTellsItsProgress(t *testing.T) {
	s := store(t)
	n := 0
	count := func(Stats) error { n++; return nil }
	b := must[*Builder](t)(s.NewBuilder(""))
	defer b.Close()
	ok(t, b.AddBytes(bg, bulk(1000), &LayerOptions{Title: "a"}))
	a := must[*Artifact](t)(b.Commit(bg, "m:v1", &CommitOptions{Progress: count}))
	defer a.Close()
	ok(t, a.Checkout(bg, t.TempDir()+"/out", &CheckoutOptions{Progress: count}))
	must[GCReport](t)(s.GC(bg, &GCOptions{Progress: count}))
	must[[]string](t)(s.Fsck(bg, &FsckOptions{Progress: count}))
	must[*Stream](t)(a.OpenLayer(bg, 0, &StreamOptions{Progress: count})).Close()
	if n < 5 {
		t.Fatal(n)
	}
}

func TestPanicsInCallbacksComeOutOfTheCall(t *testing.T) {
	noNewGoroutines(t, func() {
		from := memory(t)
		build(t, from, "m:v1", "a", "alpha")
		type fault struct{ int }
		v := recovered(func() {
			Copy(bg, from, "m:v1", memory(t), "", &CopyOptions{Progress: func(Stats) error { panic(fault{1}) }})
		})
		if v != (fault{1}) {
			t.Fatal("progress:", v)
		}
		b := must[*Builder](t)(from.NewBuilder(""))
		defer b.Close()
		ok(t, b.AddReaderAt(bg, readerAt(func([]byte, int64) (int, error) { panic(fault{2}) }), 10, &LayerOptions{Title: "a"}))
		if v := recovered(func() { b.Commit(bg, "n:v1", nil) }); v != (fault{2}) {
			t.Fatal("source:", v)
		}
	})
}

type readerAt func([]byte, int64) (int, error)

func (f readerAt) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

func TestGoexitInACallbackEndsTheCallersGoroutine(t *testing.T) {
	from, to := memory(t), memory(t)
	build(t, from, "m:v1", "a", "alpha")
	returned, done := false, make(chan struct{})
	go func() {
		defer close(done)
		Copy(bg, from, "m:v1", to, "", &CopyOptions{Progress: func(Stats) error { runtime.Goexit(); return nil }})
		returned = true
	}()
	<-done
	if returned {
		t.Fatal("the call returned")
	}
	must[*Artifact](t)(Copy(bg, from, "m:v1", to, "", nil)).Close() // nothing is held
}

func TestSourcesAreReadAgainAndTheirErrorsComeOut(t *testing.T) {
	s := memory(t)
	why := errors.New("the disk is gone")
	for name, bad := range map[string]readerAt{
		"error":     func([]byte, int64) (int, error) { return 0, why },
		"too short": func([]byte, int64) (int, error) { return 0, io.EOF },
		"too much":  func(p []byte, _ int64) (int, error) { return len(p) + 1, nil },
		"negative":  func(p []byte, _ int64) (int, error) { return -1, nil },
		"nothing":   func(p []byte, _ int64) (int, error) { return 0, nil },
	} {
		b := must[*Builder](t)(s.NewBuilder(""))
		err := b.AddReaderAt(bg, bad, 10, &LayerOptions{Title: "a"})
		if err == nil {
			_, err = b.Commit(bg, "m:v1", nil)
		}
		fails(t, err)
		if name == "error" {
			fails(t, err, why, ErrIO)
			if !strings.HasSuffix(err.Error(), ": the disk is gone") {
				t.Fatal(err)
			}
		}
		ok(t, b.Close())
	}
	b := must[*Builder](t)(s.NewBuilder(""))
	defer b.Close()
	denied := &Error{Code: ErrDenied, Message: "no"}
	ok(t, b.AddReaderAt(bg, readerAt(func([]byte, int64) (int, error) { return 0, denied }), 10, &LayerOptions{Title: "a"}))
	_, err := b.Commit(bg, "m:v1", nil)
	fails(t, err, ErrDenied, denied)
}

// asking is a registry that wants basic authentication of user and secret.
func asking(t *testing.T) string {
	return guarded(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"name":"m","tags":["v1"]}`)
	})
}

// guarded answers user and secret alone.
func guarded(t *testing.T, answer http.HandlerFunc) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, secret, _ := r.BasicAuth(); name != "user" || secret != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestAuthAnswersWithTheContextOfTheCall(t *testing.T) {
	type key struct{}
	var host string
	s := place(t, asking(t), &Options{Auth: func(ctx context.Context, h, _ string) (Credential, error) {
		host = h
		return Credential{Name: ctx.Value(key{}).(string), Secret: "secret"}, nil
	}})
	tags := must[[]string](t)(s.Tags(context.WithValue(bg, key{}, "user"), "m"))
	if len(tags) != 1 || !strings.HasPrefix(host, "127.0.0.1:") {
		t.Fatal(tags, host)
	}
}

func TestAuthOpensRealRegistries(t *testing.T) {
	for _, name := range []string{"HTPASSWD", "TOKEN"} {
		location := os.Getenv("MLREG_TEST_REGISTRY_" + name)
		if location == "" {
			t.Skip("MLREG_TEST_REGISTRY_" + name + " names no registry")
		}
		credential := Credential{Name: os.Getenv("MLREG_TEST_REGISTRY_" + name + "_USER"), Secret: os.Getenv("MLREG_TEST_REGISTRY_" + name + "_PASSWORD")}
		s := place(t, location, &Options{Auth: func(context.Context, string, string) (Credential, error) { return credential, nil }})
		a := build(t, s, fresh(t)+":v1", "a", name)
		if text := must[[]byte](t)(fs.ReadFile(a.FS(bg), "a")); string(text) != name {
			t.Fatalf("%q", text)
		}
		s = place(t, location, &Options{Auth: func(context.Context, string, string) (Credential, error) {
			return Credential{Name: credential.Name, Secret: "wrong"}, nil
		}})
		_, err := s.Resolve(bg, fresh(t)+":v1")
		fails(t, err, ErrAuth, fs.ErrPermission)
	}
}

func TestAuthFailuresComeOut(t *testing.T) {
	location := asking(t)
	auth := func(answer Credential, err error) *Options {
		return &Options{Auth: func(context.Context, string, string) (Credential, error) { return answer, err }}
	}
	why := errors.New("the vault is shut")
	_, err := place(t, location, auth(Credential{}, why)).Tags(bg, "m")
	fails(t, err, why)
	_, err = place(t, location, auth(Credential{}, nil)).Tags(bg, "m")
	fails(t, err, ErrAuth)
	_, err = place(t, location, auth(Credential{Token: "wrong"}, nil)).Tags(bg, "m")
	fails(t, err, ErrAuth)
	_, err = place(t, location, auth(Credential{Name: "user", Secret: "sec\x00ret"}, nil)).Tags(bg, "m")
	fails(t, err, ErrInvalid)
	if strings.Contains(err.Error(), "ret") {
		t.Fatal(err, "tells the secret")
	}
	s := place(t, location, &Options{Auth: func(context.Context, string, string) (Credential, error) { panic("vault") }})
	if v := recovered(func() { s.Tags(bg, "m") }); v != "vault" {
		t.Fatal(v)
	}
}

// Each of many calls on one session gets the panic of its own callback.
func TestAuthPanicsFindTheirOwnCall(t *testing.T) {
	type key struct{}
	s := place(t, asking(t), &Options{Auth: func(ctx context.Context, _, _ string) (Credential, error) { panic(ctx.Value(key{})) }})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			ctx := context.WithValue(bg, key{}, i)
			if v := recovered(func() { s.Tags(ctx, "m") }); v != i {
				t.Error(v, "is not", i)
			}
		}()
	}
	wg.Wait()
}

func TestLoginKeepsAndLogoutForgets(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	s := place(t, asking(t), nil)
	_, err := s.Login(bg, "user", "wrong")
	fails(t, err, ErrAuth)
	where := must[string](t)(s.Login(bg, "user", "secret"))
	if !strings.HasPrefix(where, dir) || !strings.Contains(string(must[[]byte](t)(os.ReadFile(where))), "127.0.0.1") {
		t.Fatal(where)
	}
	must[string](t)(s.Logout(bg))
	_, err = s.Logout(bg)
	fails(t, err, ErrNotFound)
	_, err = s.Login(bg, "user", "se\x00cret")
	fails(t, err, ErrInvalid)
	_, err = memory(t).Login(bg, "user", "secret")
	fails(t, err, ErrNotSupported)
}

func TestLogGoesToTheLoggerAndItsPanicsComeOut(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := place(t, asking(t), &Options{Logger: logger, Auth: func(context.Context, string, string) (Credential, error) {
		return Credential{Name: "user", Secret: "secret"}, nil
	}})
	must[[]string](t)(s.Tags(bg, "m"))
	if out.Len() == 0 || strings.Contains(out.String(), "secret") {
		t.Fatalf("%q", out.String())
	}
	s = place(t, asking(t), &Options{Logger: slog.New(panics{logger.Handler()})})
	if v := recovered(func() { s.Tags(bg, "m") }); v != "log" {
		t.Fatal(v)
	}
}

type panics struct{ slog.Handler }

func (panics) Handle(context.Context, slog.Record) error { panic("log") }
