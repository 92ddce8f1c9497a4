// bad_test.go - bad input, closed and forgotten handles: errors, never a crash.

package mlreg

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// everyCall makes one call of each method of these handles.
func everyCall(ctx context.Context, s *Session, a *Artifact, st *Stream, b *Builder) map[string]error {
	got := map[string]error{}
	put := func(name string, err error) { got[name] = err }
	_, err := s.Resolve(ctx, "m:v1")
	put("Resolve", err)
	_, err = s.Tags(ctx, "m")
	put("Tags", err)
	_, err = s.Repositories(ctx)
	put("Repositories", err)
	_, err = s.Referrers(ctx, "m:v1", "")
	put("Referrers", err)
	put("Delete", s.Delete(ctx, "m:v1"))
	_, err = s.Login(ctx, "n", "s")
	put("Login", err)
	_, err = s.Logout(ctx)
	put("Logout", err)
	_, err = s.GC(ctx, nil)
	put("GC", err)
	_, err = s.Fsck(ctx, nil)
	put("Fsck", err)
	_, err = Copy(ctx, s, "m:v1", s, "n:v1", nil)
	put("Copy", err)
	_, err = a.Config(ctx)
	put("Config", err)
	put("Checkout", a.Checkout(ctx, os.TempDir()+"/never", nil))
	_, err = a.OpenLayer(ctx, 0, nil)
	put("OpenLayer", err)
	_, _, err = a.FileRange(ctx, 0)
	put("FileRange", err)
	put("UnpackImage", a.UnpackImage(ctx, os.TempDir()+"/never", nil))
	_, err = s.ResolveVariant(ctx, "m:v1", &Wish{})
	put("ResolveVariant", err)
	_, err = s.Variants(ctx, "m:v1", nil)
	put("Variants", err)
	_, err = s.Blob(ctx, "m", "sha256:")
	put("Blob", err)
	_, err = s.OpenBlob(ctx, "m", "sha256:")
	put("OpenBlob", err)
	put("Mount", s.Mount(ctx, "m", "sha256:", "n"))
	_, err = s.Put(ctx, "m:v1", nil, nil)
	put("Put", err)
	_, err = s.OpenUpload(ctx, "m", "")
	put("OpenUpload", err)
	if ctx != nil { // these take none
		_, err = s.NewBuilder("")
		put("NewBuilder", err)
		_, err = a.OpenLayerFile(0)
		put("OpenLayerFile", err)
		_, err = st.Read(make([]byte, 1))
		put("Read", err)
		_, err = st.Read(nil)
		put("Read of nothing", err)
		_, err = st.ReadAt(make([]byte, 1), 0)
		put("ReadAt", err)
		_, err = st.Seek(0, 0)
		put("Seek", err)
		_, err = st.WriteTo(io.Discard)
		put("WriteTo", err)
		put("SetConfig", b.SetConfig("t", nil))
		put("SetSubject", b.SetSubject("sha256:"))
		put("SetAnnotation", b.SetAnnotation("k", "v"))
		put("SetImage", b.SetImage(ImageOptions{}))
		put("AddChildrenOf", b.AddChildrenOf(a))
		put("AddChild", b.AddChild(a, Variant{Name: "cpu"}))
		put("RemoveChild", b.RemoveChild("cpu"))
		put("Release", s.Release("team/x", "sha256:"))
	}
	put("SetBase", b.SetBase(ctx, a))
	put("AddLayerOf", b.AddLayerOf(ctx, a, 0, nil))
	put("AddPip", b.AddPip(ctx, "/none", nil))
	put("AddTree", b.AddTree(ctx, "/", nil))
	put("AddFile", b.AddFile(ctx, "/", nil))
	put("AddBytes", b.AddBytes(ctx, nil, nil))
	_, err = b.Commit(ctx, "m:v1", nil)
	put("Commit", err)
	return got
}

func handles(t testing.TB) (*Session, *Artifact, *Stream, *Builder) {
	s := store(t)
	a := build(t, s, "m:v1", "a", "alpha")
	b := must[*Builder](t)(s.NewBuilder(""))
	t.Cleanup(func() { b.Close() })
	return s, a, openLayer(t, a, 0, nil), b
}

func TestClosedHandlesFailAndCloseTwiceIsFine(t *testing.T) {
	s, a, st, b := handles(t)
	for range 2 {
		ok(t, errors.Join(s.Close(), a.Close(), st.Close(), b.Close()))
	}
	for name, err := range everyCall(bg, s, a, st, b) {
		t.Run(name, func(t *testing.T) { fails(t, err, ErrState, ErrClosed, fs.ErrClosed) })
	}
	if s.Capabilities() != 0 || a.Digest() == "" || st.Size() != 5 {
		t.Fatal("what needs no C changed")
	}
	r := must[*Runtime](t)(NewRuntime(nil))
	ok(t, errors.Join(r.Close(), r.Close()))
	_, err := Open(bg, "memory:", &Options{Runtime: r})
	fails(t, err, ErrClosed)
}

func TestNilHandlesFail(t *testing.T) {
	for name, err := range everyCall(bg, nil, nil, nil, nil) {
		t.Run(name, func(t *testing.T) { fails(t, err, ErrInvalid) })
	}
	var s *Session
	var a *Artifact
	var st *Stream
	var b *Builder
	var r *Runtime
	ok(t, errors.Join(s.Close(), a.Close(), st.Close(), b.Close(), r.Close()))
	if a.Digest() != "" || len(a.Layers()) != 0 || st.Size() != 0 || s.Capabilities() != 0 || len(a.JSON()) != 0 {
		t.Fatal("something of nothing")
	}
	if entries := must[[]fs.DirEntry](t)(fs.ReadDir(a.FS(bg), ".")); len(entries) != 0 {
		t.Fatal(entries)
	}
}

func TestZeroHandlesFail(t *testing.T) {
	for name, err := range everyCall(bg, new(Session), new(Artifact), new(Stream), new(Builder)) {
		t.Run(name, func(t *testing.T) { fails(t, err, ErrClosed) })
	}
	ok(t, errors.Join(new(Session).Close(), new(Artifact).Close(), new(Stream).Close(), new(Builder).Close(), new(Runtime).Close()))
	_, err := Open(bg, "memory:", &Options{Runtime: new(Runtime)})
	fails(t, err, ErrClosed)
}

func TestNilContextsFail(t *testing.T) {
	var none context.Context
	s, a, st, b := handles(t)
	for name, err := range everyCall(none, s, a, st, b) {
		t.Run(name, func(t *testing.T) { fails(t, err, ErrInvalid) })
	}
	_, err := Open(none, "memory:", nil)
	fails(t, err, ErrInvalid)
}

// Under a copy the collector would close: go vet finds one by the lock in it.
func TestHandlesAreNotToBeCopied(t *testing.T) {
	for _, handle := range []reflect.Type{reflect.TypeFor[Runtime](), reflect.TypeFor[Session](), reflect.TypeFor[Artifact](),
		reflect.TypeFor[Stream](), reflect.TypeFor[Builder](), reflect.TypeFor[Upload]()} {
		locked := false
		for i := range handle.NumField() {
			locked = locked || reflect.PointerTo(handle.Field(i).Type).Implements(reflect.TypeFor[sync.Locker]())
		}
		if !locked {
			t.Error(handle)
		}
	}
}

func TestNilInputsFail(t *testing.T) {
	_, a, _, b := handles(t)
	fails(t, b.AddReaderAt(bg, nil, 1, &LayerOptions{Title: "x"}), ErrInvalid)
	fails(t, b.AddReaderAt(bg, strings.NewReader(""), -1, &LayerOptions{Title: "x"}), ErrInvalid)
	fails(t, b.AddBytes(bg, []byte("x"), nil), ErrInvalid) // no title
	for _, bad := range []*StreamOptions{{Offset: -1}, {Length: -1}, {Offset: 6}, {Offset: 1 << 62, Length: 1 << 62}} {
		_, err := a.OpenLayer(bg, 0, bad)
		fails(t, err, ErrInvalid)
	}
	for _, layer := range []int{-1, 1, 1 << 40} {
		_, err := a.OpenLayer(bg, layer, nil)
		fails(t, err, ErrInvalid)
		_, err = a.OpenLayerFile(layer)
		fails(t, err, ErrInvalid)
	}
}

// Strings that C would cut short must not arrive there; others it must survive.
func TestStringsWithNULAreRefusedAndStrangeOnesSurvive(t *testing.T) {
	for _, bad := range []string{"m:v1\x00", "\x00", "a\x00b"} {
		for name, err := range withString(t, bad) {
			t.Run(name, func(t *testing.T) { fails(t, err, ErrInvalid, fs.ErrInvalid) })
		}
	}
	for _, strange := range []string{"\xff\xfe", "m:\xc3\x28", "\xed\xa0\x80", "", strings.Repeat("x", 1<<20), "%s%n", "\u202e"} {
		for name, err := range withString(t, strange) {
			var e *Error
			if err != nil && !errors.As(err, &e) {
				t.Fatal(name, err)
			}
		}
	}
}

// withString gives x wherever a string goes.
func withString(t *testing.T, x string) map[string]error {
	s, a, _, b := handles(t)
	t.Chdir(t.TempDir())
	got := map[string]error{}
	_, got["Open"] = Open(bg, x, nil)
	_, got["CAFile"] = Open(bg, "https://localhost:1", &Options{CAFile: x})
	_, got["ParseName"] = ParseName(x)
	_, got["Resolve"] = s.Resolve(bg, x)
	_, got["Tags"] = s.Tags(bg, x)
	_, got["Referrers"] = s.Referrers(bg, x, "")
	_, got["Referrers' type"] = s.Referrers(bg, "m:v1", x)
	got["Delete"] = s.Delete(bg, x)
	_, got["Login"] = s.Login(bg, x, x)
	_, got["Copy"] = Copy(bg, s, x, s, "", nil)
	_, got["Copy as"] = Copy(bg, s, "m:v1", s, x, nil)
	_, got["Copy expecting"] = Copy(bg, s, "m:v1", s, "n:v1", &CopyOptions{MoveTag: true, ExpectDigest: x})
	got["Checkout"] = a.Checkout(bg, x, nil)
	got["Include"] = a.Checkout(bg, "out", &CheckoutOptions{Include: []string{"ok", x}})
	got["Exclude"] = a.Checkout(bg, "out", &CheckoutOptions{Exclude: []string{x}})
	_, got["NewBuilder"] = s.NewBuilder(x)
	got["SetConfig"] = b.SetConfig(x, nil)
	got["SetSubject"] = b.SetSubject(x)
	got["SetAnnotation"] = b.SetAnnotation(x, "v")
	got["SetAnnotation's value"] = b.SetAnnotation("k", x)
	got["AddTree"] = b.AddTree(bg, x, nil)
	got["AddFile"] = b.AddFile(bg, x, nil)
	got["Title"] = b.AddBytes(bg, nil, &LayerOptions{Title: x})
	got["MediaType"] = b.AddBytes(bg, nil, &LayerOptions{Title: "t", MediaType: x})
	_, got["Commit"] = b.Commit(bg, x, nil)
	_, got["Also"] = b.Commit(bg, "m:v9", &CommitOptions{Also: []string{x}})
	_, got["FS"] = a.FS(bg).Open(x)
	for name, err := range got { // a file system's errors are its own
		if at, is := err.(*fs.PathError); is {
			got[name] = &Error{Code: ErrInvalid, causes: []error{at}}
		}
	}
	return got
}

func TestNumbersOutOfRangeAreRefusedAndNegativeOnesMeanNone(t *testing.T) {
	for _, bad := range []*Options{{ConnectTimeout: 1 << 62}, {StallTimeout: 1 << 62}, {MaxRetries: 1 << 40}} {
		_, err := Open(bg, "memory:", bad)
		fails(t, err, ErrInvalid)
	}
	for _, bad := range []*RuntimeOptions{{MaxThreads: 1 << 40}, {MaxConnections: 1 << 32}} {
		_, err := NewRuntime(bad)
		fails(t, err, ErrInvalid)
	}
	r := must[*Runtime](t)(NewRuntime(&RuntimeOptions{MaxThreads: -1, MaxConnections: 2, MemoryBytes: 8 << 20, MaxBytesPerSec: -1}))
	s := place(t, "memory:", &Options{Runtime: r, ConnectTimeout: -1, StallTimeout: time.Nanosecond, MaxRetries: -1})
	ok(t, r.Close()) // the session keeps it
	build(t, s, "m:v1", "a", "alpha")
}

func TestReadOnlyAndMissingPlacesFail(t *testing.T) {
	dir := t.TempDir() + "/store"
	_, err := Open(bg, dir, nil)
	fails(t, err, ErrNotFound, fs.ErrNotExist)
	place(t, dir, &Options{Create: true})
	_, err = place(t, dir, &Options{ReadOnly: true}).NewBuilder("")
	fails(t, err, ErrDenied, fs.ErrPermission)
	_, err = Open(bg, "http://registry.example", nil)
	fails(t, err, ErrDenied)
	_, err = Open(bg, "ftp://registry.example", nil)
	fails(t, err, ErrNotSupported)
}

func TestABuilderServesOneCallAtATime(t *testing.T) {
	b := must[*Builder](t)(memory(t).NewBuilder(""))
	defer b.Close()
	var inside error
	ok(t, b.AddReaderAt(bg, readerAt(func(p []byte, off int64) (int, error) {
		inside = b.SetAnnotation("k", "v")
		return strings.NewReader("alpha").ReadAt(p, off)
	}), 5, &LayerOptions{Title: "a"}))
	must[*Artifact](t)(b.Commit(bg, "m:v1", nil)).Close()
	fails(t, inside, ErrState)
}

func TestCloseInsideItsOwnCallback(t *testing.T) {
	from, to := memory(t), memory(t)
	build(t, from, "m:v1", "a", "alpha")
	a := must[*Artifact](t)(Copy(bg, from, "m:v1", to, "", &CopyOptions{Progress: func(Stats) error {
		return errors.Join(from.Close(), to.Close())
	}}))
	ok(t, a.Checkout(bg, t.TempDir()+"/out", nil)) // what came from the session lives on
	ok(t, a.Close())
	_, err := to.Resolve(bg, "m:v1")
	fails(t, err, ErrClosed)
}

func TestCloseBesideManyCalls(t *testing.T) {
	for range 20 {
		s, a, st, b := handles(t)
		var wg sync.WaitGroup
		for range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for range 20 {
					s.Resolve(bg, "m:v1")
					a.Config(bg)
					st.ReadAt(make([]byte, 3), 1)
					st.Read(make([]byte, 3))
					b.SetAnnotation("k", "v")
				}
			}()
		}
		time.Sleep(time.Millisecond)
		wg.Add(1)
		go func() { defer wg.Done(); s.Close(); st.Close(); b.Close(); a.Close() }()
		wg.Wait()
	}
}

// Handles that nobody closes are closed by the collector, but never under a
// call, and callbacks and sources go with them.
func TestTheCollectorClosesWhatWasForgottenAndNothingElse(t *testing.T) {
	stop := make(chan struct{})
	var collecting sync.WaitGroup
	collecting.Add(1)
	go func() {
		defer collecting.Done()
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	for range 40 {
		forget(t)
	}
	close(stop)
	collecting.Wait()
}

//go:noinline
func forget(t *testing.T) {
	s := must[*Session](t)(Open(bg, "memory:", &Options{Logger: slog.New(slog.DiscardHandler)}))
	b := must[*Builder](t)(s.NewBuilder(""))
	ok(t, b.AddBytes(bg, bulk(5000), &LayerOptions{Title: "a"}))
	a := must[*Artifact](t)(b.Commit(bg, "m:v1", nil))
	s, b = nil, nil
	st := must[*Stream](t)(a.OpenLayer(bg, 0, nil))
	a = nil
	if n := len(must[[]byte](t)(io.ReadAll(st))); n != 5000 {
		t.Error(n)
	}
}

func TestAForgottenHandleIsFreedByTheCollector(t *testing.T) {
	freed := make(chan struct{})
	func() {
		type owner [64]byte
		newHandle(&owner{}, "thing", unsafe.Pointer(nil), func(unsafe.Pointer) { close(freed) })
	}()
	for deadline := time.After(5 * time.Second); ; {
		runtime.GC()
		select {
		case <-freed:
			return
		case <-deadline:
			t.Fatal("not freed")
		case <-time.After(time.Millisecond):
		}
	}
}

// ---- whole programs: this test binary runs itself ----

func TestMain(m *testing.M) {
	switch os.Getenv("MLREG_GO_TEST_PROGRAM") {
	case "open handles":
		leaveOpen()
	case "open":
		if _, err := Open(bg, "memory:", nil); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// leaveOpen ends the program in the middle of a call, with callbacks, and with
// one handle of each kind open.
func leaveOpen() {
	s, _ := Open(bg, "memory:", &Options{Logger: slog.New(slog.DiscardHandler)})
	b, _ := s.NewBuilder("")
	started := make(chan struct{})
	var once sync.Once
	b.AddReaderAt(bg, readerAt(func([]byte, int64) (int, error) {
		once.Do(func() { close(started) })
		select {}
	}), 10, &LayerOptions{Title: "a"})
	go b.Commit(bg, "m:v1", nil)
	<-started
	os.Exit(0)
}

func program(t *testing.T, name string, env ...string) (string, int) {
	self := must[string](t)(os.Executable())
	cmd := exec.Command(self)
	cmd.Env = append(append(os.Environ(), "MLREG_GO_TEST_PROGRAM="+name), env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestAProgramMayEndWithOpenHandles(t *testing.T) {
	if out, code := program(t, "open handles"); code != 0 || out != "" {
		t.Fatalf("%d: %s", code, out)
	}
}

func TestWithoutTheLibraryAProgramSaysWhichOneIsMissing(t *testing.T) {
	if _, code := program(t, "open", "LD_LIBRARY_PATH="+t.TempDir()); code == 0 {
		t.Skip("the library is installed where the loader finds it by itself")
	}
	out, code := program(t, "open", "LD_LIBRARY_PATH="+t.TempDir())
	if code != 127 || !strings.Contains(out, "libmlreg.so.0") {
		t.Fatalf("%d: %s", code, out)
	}
}

// MLREG_TEST_OLD_LIBRARY is the folder of a libmlreg.so.0 that says it is 0.0.9.
func TestWithAnOlderLibraryEveryDoorSaysSo(t *testing.T) {
	fails(t, checkVersion(0x000009), ErrNotSupported)
	ok(t, checkVersion(0x000100))
	dir := os.Getenv("MLREG_TEST_OLD_LIBRARY")
	if dir == "" {
		t.Skip("MLREG_TEST_OLD_LIBRARY names no folder")
	}
	out, code := program(t, "open", "LD_LIBRARY_PATH="+filepath.Clean(dir))
	if code != 3 || !strings.Contains(out, "the loaded libmlreg is 0.0.9, and this program needs 0.1.0 or newer") {
		t.Fatalf("%d: %s", code, out)
	}
}
