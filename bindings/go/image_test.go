// image_test.go - images from Go: built on others, read by file, unpacked, in every kind of place.

package mlreg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"
)

var weights = bulk(6_000)

// image commits a runnable one of a model's file and a folder of code; more may be set before.
func image(t *testing.T, s *Session, ref string, set func(b *Builder)) *Artifact {
	t.Helper()
	code := t.TempDir()
	ok(t, os.WriteFile(code+"/serve.py", []byte("print(1)\n"), 0o644))
	ok(t, os.WriteFile(code+"/util.py", []byte("pass\n"), 0o644))
	b := must[*Builder](t)(s.NewImageBuilder())
	defer b.Close()
	set(b)
	ok(t, b.SetImage(ImageOptions{Platform: "linux/arm64", User: "1000", Workdir: "/app", Env: []string{"A=1", "B=2"},
		Labels: []string{"k=v"}, Ports: []string{"8080"}, Entrypoint: []string{"python3"}, Cmd: []string{"serve.py"}}))
	ok(t, b.AddBytes(bg, weights, &LayerOptions{Title: "models/model.bin"}))
	ok(t, b.AddTree(bg, code, &LayerOptions{Title: "app"}))
	a := must[*Artifact](t)(b.Commit(bg, ref, nil))
	t.Cleanup(func() { a.Close() })
	return a
}

func TestImageSaysHowItIsRun(t *testing.T) {
	eachPlace(t, func(t *testing.T, s *Session) {
		a := image(t, s, refIn(t, s, "v1"), func(*Builder) {})
		var config struct {
			Architecture string
			Config       struct {
				User, WorkingDir     string
				Env, Entrypoint, Cmd []string
				ExposedPorts, Labels map[string]any
			}
		}
		ok(t, json.Unmarshal(must[[]byte](t)(a.Config(bg)), &config))
		c := config.Config
		if config.Architecture != "arm64" || c.User != "1000" || c.WorkingDir != "/app" || len(c.Env) != 2 || c.Labels["k"] != "v" ||
			c.ExposedPorts["8080/tcp"] == nil || len(c.Entrypoint) != 1 || c.Cmd[0] != "serve.py" {
			t.Fatalf("%+v", config)
		}
	})
}

func TestImageFilesAreReadOutOfTheirTars(t *testing.T) {
	eachPlace(t, func(t *testing.T, s *Session) {
		a := image(t, s, refIn(t, s, "v1"), func(*Builder) {})
		files := a.FS(bg)
		ok(t, fstest.TestFS(files, "models/model.bin"))
		if got := must[[]byte](t)(fs.ReadFile(files, "models/model.bin")); !bytes.Equal(got, weights) {
			t.Fatal("other bytes")
		}
		if size := must[fs.FileInfo](t)(fs.Stat(files, "models/model.bin")).Size(); size != int64(len(weights)) {
			t.Fatal(size)
		}
		file := openLayer(t, a, 0, &StreamOptions{File: true, Offset: 1000, Length: 20})
		if got := must[[]byte](t)(io.ReadAll(file)); !bytes.Equal(got, weights[1000:1020]) {
			t.Fatalf("%q", got)
		}
		_, err := a.OpenLayer(bg, 1, &StreamOptions{File: true})
		fails(t, err, ErrNotSupported) // a tar of two
		if whole := openLayer(t, a, 0, nil); whole.Size() != a.Layers()[0].Size {
			t.Fatal(whole.Size())
		}
	})
}

func TestImageFilesAreServedByRange(t *testing.T) {
	server := httptest.NewServer(http.FileServerFS(image(t, store(t), "m:v1", func(*Builder) {}).FS(bg)))
	defer server.Close()
	req := must[*http.Request](t)(http.NewRequest("GET", server.URL+"/models/model.bin", nil))
	req.Header.Set("Range", "bytes=-5")
	answer := must[*http.Response](t)(http.DefaultClient.Do(req))
	defer answer.Body.Close()
	if got := must[[]byte](t)(io.ReadAll(answer.Body)); !bytes.Equal(got, weights[len(weights)-5:]) {
		t.Fatalf("%d %q", answer.StatusCode, got)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestImageFileBeginsAtAPageOfItsLayer(t *testing.T) {
	a := image(t, store(t), "m:v1", func(*Builder) {})
	offset, size, err := a.FileRange(bg, 0)
	ok(t, err)
	if offset == 0 || offset%4096 != 0 || size != int64(len(weights)) {
		t.Fatal(offset, size)
	}
	layer := must[*os.File](t)(a.OpenLayerFile(0))
	defer layer.Close()
	got := make([]byte, size)
	must[int](t)(layer.ReadAt(got, offset))
	if !bytes.Equal(got, weights) {
		t.Fatal("other bytes")
	}
	_, _, err = a.FileRange(bg, 1)
	fails(t, err, ErrNotSupported)
	_, _, err = a.FileRange(bg, -1)
	fails(t, err, ErrInvalid)
}

func TestImageIsMadeOnAnotherAndOfItsLayers(t *testing.T) {
	eachPlace(t, func(t *testing.T, s *Session) {
		model := build(t, s, refIn(t, s, "model"), "m.bin", "weights")
		base := image(t, s, refIn(t, s, "base"), func(*Builder) {})
		a := image(t, s, refIn(t, s, "v1"), func(b *Builder) {
			ok(t, b.SetBase(bg, base))
			ok(t, b.AddLayerOf(bg, model, 0, &LayerOptions{Title: "more/m.bin"}))
			fails(t, b.AddLayerOf(bg, model, 1, nil), ErrInvalid)
			fails(t, b.AddLayerOf(bg, model, -1, nil), ErrInvalid)
			fails(t, b.SetBase(bg, base), ErrState)
		})
		if layers := a.Layers(); len(layers) != 5 || layers[0].Digest != base.Layers()[0].Digest {
			t.Fatalf("%+v", layers)
		}
		if text := must[[]byte](t)(fs.ReadFile(a.FS(bg), "more/m.bin")); string(text) != "weights" {
			t.Fatalf("%q", text)
		}
		to := t.TempDir() + "/root"
		ok(t, a.UnpackImage(bg, to, nil))
		if text := must[[]byte](t)(os.ReadFile(to + "/app/serve.py")); string(text) != "print(1)\n" {
			t.Fatalf("%q", text)
		}
		fails(t, a.UnpackImage(bg, to, nil), ErrExists)
		found := must[[]Descriptor](t)(a.FindInImage(bg, "/app/serve.py"))
		alone := t.TempDir() + "/alone"
		ok(t, a.UnpackImage(bg, alone, &UnpackOptions{Layers: []string{found[0].Digest}}))
		if entries := must[[]os.DirEntry](t)(os.ReadDir(alone)); len(entries) != 1 || entries[0].Name() != "app" {
			t.Fatal(entries)
		}
		fails(t, a.UnpackImage(bg, to+"2", &UnpackOptions{Layers: []string{"none"}}), ErrInvalid)
	})
}

// remote gives an image of a registry that asks for credentials and logs; before each blob it calls next.
func remote(t *testing.T, next func(r *http.Request), opts Options) (*Session, *Artifact) {
	a := image(t, memory(t), "m:v1", func(*Builder) {})
	config, _ := a.ConfigDescriptor()
	blobs := map[string][]byte{config.Digest: must[[]byte](t)(a.Config(bg))}
	for i, layer := range a.Layers() {
		blobs[layer.Digest] = must[[]byte](t)(io.ReadAll(openLayer(t, a, i, nil)))
	}
	s := place(t, guarded(t, func(w http.ResponseWriter, r *http.Request) {
		if blob, has := blobs[path.Base(r.URL.Path)]; has {
			next(r)
			w.Write(blob)
		} else if path.Base(r.URL.Path) == "v1" {
			w.Header().Set("Content-Type", a.Descriptor().MediaType)
			w.Write(a.JSON())
		}
	}), &opts)
	found := must[*Artifact](t)(s.Resolve(bg, "m:v1"))
	t.Cleanup(func() { found.Close() })
	return s, found
}

func credential(context.Context, string, string) (Credential, error) {
	return Credential{Name: "user", Secret: "secret"}, nil
}

func TestImageBuildersCallBackThoughTheBaseIsClosed(t *testing.T) {
	var lines bytes.Buffer
	s, base := remote(t, func(*http.Request) {}, Options{Auth: credential, Logger: slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	b := must[*Builder](t)(memory(t).NewImageBuilder())
	defer b.Close()
	ok(t, b.AddLayerOf(bg, base, 0, nil))
	ok(t, errors.Join(base.Close(), s.Close()))
	lines.Reset()
	a := must[*Artifact](t)(b.Commit(bg, "n:v1", nil))
	defer a.Close()
	if lines.Len() == 0 || a.Layers()[0].Digest != base.Layers()[0].Digest {
		t.Fatal(a.Layers(), lines.String())
	}
}

func TestImageBuildersWaitForABaseNoLongerThanTheContext(t *testing.T) {
	_, base := remote(t, func(r *http.Request) { <-r.Context().Done() }, Options{Auth: credential})
	b := must[*Builder](t)(memory(t).NewImageBuilder())
	defer b.Close()
	for _, f := range []func(ctx context.Context) error{
		func(ctx context.Context) error { return b.SetBase(ctx, base) },
		func(ctx context.Context) error { return b.AddLayerOf(ctx, base, 0, nil) },
	} {
		ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
		fails(t, within(t, ctx, func() error { return f(ctx) }), ErrCancelled, context.DeadlineExceeded)
		cancel()
	}
}

func TestImageBasesPanicsComeOutOfTheBuilder(t *testing.T) {
	var armed atomic.Bool
	_, base := remote(t, func(*http.Request) {}, Options{Auth: credential, Logger: slog.New(sometimes{slog.DiscardHandler, &armed})})
	b := must[*Builder](t)(memory(t).NewImageBuilder())
	defer b.Close()
	armed.Store(true)
	if v := recovered(func() { b.SetBase(bg, base) }); v != "log" {
		t.Fatal(v)
	}
	armed.Store(false)
	ok(t, b.SetBase(bg, base))
}

// sometimes is a log that panics when it is armed.
type sometimes struct {
	slog.Handler
	armed *atomic.Bool
}

func (sometimes) Enabled(context.Context, slog.Level) bool { return true }

func (h sometimes) Handle(context.Context, slog.Record) error {
	if h.armed.Load() {
		panic("log")
	}
	return nil
}

func TestImageSaysWhyPipInstallsNothing(t *testing.T) {
	requirements := t.TempDir() + "/requirements.txt"
	ok(t, os.WriteFile(requirements, nil, 0o644))
	b := must[*Builder](t)(memory(t).NewImageBuilder())
	defer b.Close()
	fails(t, b.AddPip(bg, requirements+".none", nil), ErrNotFound)
	ok(t, b.AddPip(bg, requirements, &PipOptions{Target: "/lib", Python: "no-such-python", Args: []string{"--no-index"}, Gzip: true}))
	_, err := b.Commit(bg, "m:v1", nil)
	fails(t, err)
	if !strings.Contains(err.Error(), "no-such-python") {
		t.Fatal(err)
	}
}

func TestImageBuildersRefuseWhatIsNone(t *testing.T) {
	s := memory(t)
	b := must[*Builder](t)(s.NewBuilder(""))
	defer b.Close()
	fails(t, b.SetImage(ImageOptions{User: "x"}), ErrInvalid)
	of := must[*Builder](t)(s.NewImageBuilder())
	defer of.Close()
	fails(t, of.SetImage(ImageOptions{Env: []string{"no equals sign"}}), ErrInvalid)
	fails(t, of.SetImage(ImageOptions{Platform: "arm64"}), ErrInvalid)
	fails(t, of.SetBase(bg, nil), ErrInvalid)
	fails(t, of.SetBase(bg, build(t, s, "m:v1", "a", "alpha")), ErrInvalid)
}
