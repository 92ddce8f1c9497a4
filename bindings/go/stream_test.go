// stream_test.go - streams and file systems keep the promises of their interfaces.

package mlreg

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/iotest"
)

func bulk(n int) []byte {
	b := make([]byte, n)
	rand.New(rand.NewSource(1)).Read(b)
	return b
}

func openLayer(t testing.TB, a *Artifact, i int, opts *StreamOptions) *Stream {
	t.Helper()
	s := must[*Stream](t)(a.OpenLayer(bg, i, opts))
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStreamIsAGoodReader(t *testing.T) {
	content := bulk(20_000)
	eachPlace(t, func(t *testing.T, s *Session) {
		a := build(t, s, refIn(t, s, "v1"), "big", string(content), "empty", "")
		ok(t, iotest.TestReader(openLayer(t, a, 0, nil), content))
		ok(t, iotest.TestReader(openLayer(t, a, 1, nil), nil))
		ok(t, iotest.TestReader(openLayer(t, a, 0, &StreamOptions{Offset: 10, Length: 500}), content[10:510]))
	})
}

func TestStreamUnverifiedReadsInSequence(t *testing.T) {
	content := bulk(300_000)
	eachPlace(t, func(t *testing.T, s *Session) {
		a := build(t, s, refIn(t, s, "v1"), "big", string(content))
		got := must[[]byte](t)(io.ReadAll(openLayer(t, a, 0, &StreamOptions{Unverified: true})))
		if !bytes.Equal(got, content) {
			t.Fatal("other bytes")
		}
	})
}

func TestStreamSeeksPastTheEndAndBack(t *testing.T) {
	s := openLayer(t, build(t, memory(t), "m:v1", "a", "0123456789"), 0, nil)
	if s.Size() != 10 {
		t.Fatal(s.Size())
	}
	if at := must[int64](t)(s.Seek(5, io.SeekEnd)); at != 15 {
		t.Fatal(at)
	}
	if n, err := s.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatal(n, err)
	}
	must[int64](t)(s.Seek(-8, io.SeekCurrent))
	if rest := must[[]byte](t)(io.ReadAll(s)); string(rest) != "789" {
		t.Fatalf("%q", rest)
	}
	for _, bad := range []func() (int64, error){
		func() (int64, error) { return s.Seek(-1, io.SeekStart) },
		func() (int64, error) { return s.Seek(0, 7) },
		func() (int64, error) { n, err := s.ReadAt(make([]byte, 1), -1); return int64(n), err },
	} {
		_, err := bad()
		fails(t, err, ErrInvalid)
	}
}

// Of a buffer inside a struct C gets the buffer, not what lies beside it.
func TestBuffersBesidePointersMayBeGiven(t *testing.T) {
	var reader struct {
		source io.Reader
		buf    [4]byte
	}
	reader.source = openLayer(t, build(t, memory(t), "m:v1", "a", "alphabet"), 0, nil)
	for _, want := range []string{"alph", "abet"} {
		must[int](t)(reader.source.Read(reader.buf[:]))
		if string(reader.buf[:]) != want {
			t.Fatalf("%q", reader.buf)
		}
	}
	must[int](t)(reader.source.(io.ReaderAt).ReadAt(reader.buf[:], 1))
	must[int](t)(upload(t, store(t), "").Write(reader.buf[:]))
}

func TestStreamReadAtByManyGoroutines(t *testing.T) {
	content := bulk(1 << 20)
	s := openLayer(t, build(t, store(t), "m:v1", "a", string(content)), 0, nil)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			p := make([]byte, 4096)
			for i := g; i < 200; i += 8 {
				if n, err := s.ReadAt(p, int64(i*4096)); n != len(p) || err != nil || !bytes.Equal(p, content[i*4096:][:4096]) {
					t.Error(n, err)
				}
			}
		}()
	}
	wg.Wait()
}

func TestStreamCopiesWithoutSmallSteps(t *testing.T) {
	content := bulk(600_000)
	s := openLayer(t, build(t, memory(t), "m:v1", "a", string(content)), 0, nil)
	var to bytes.Buffer
	if n := must[int64](t)(io.Copy(&to, s)); n != 600_000 || !bytes.Equal(to.Bytes(), content) {
		t.Fatal(n)
	}
	must[int64](t)(s.Seek(0, io.SeekStart))
	if _, err := io.Copy(badWriter{0, io.ErrClosedPipe}, s); !errors.Is(err, io.ErrClosedPipe) {
		t.Fatal(err)
	}
	for _, bad := range []badWriter{{1, nil}, {-1, nil}, {600_001, nil}} {
		must[int64](t)(s.Seek(0, io.SeekStart))
		if n, err := s.WriteTo(bad); err == nil || n < 0 || n > 1 {
			t.Fatal(n, err)
		}
	}
}

type badWriter struct {
	n   int
	err error
}

func (b badWriter) Write([]byte) (int, error) { return b.n, b.err }

func TestFSIsAGoodFileSystem(t *testing.T) {
	eachPlace(t, func(t *testing.T, s *Session) {
		a := build(t, s, refIn(t, s, "v1"), "a.txt", "alpha", "d/e/f.txt", "deep", "d/g", "", "z", "omega")
		ok(t, fstest.TestFS(a.FS(bg), "a.txt", "d/e/f.txt", "d/g", "z"))
	})
}

func TestFSLeavesOutUnsafeTitlesAndClashes(t *testing.T) {
	titles := []string{"../x", "/etc/passwd", "a/../../b", ".", "", "a//b", "ok", "ok/below", "dir/x", "dir", "dir/x", "bad\xff"}
	f := &FS{nodes: map[string]*node{".": {name: ".", layer: -1}}}
	for i, title := range titles {
		f.add(&Descriptor{Title: title}, i)
	}
	var found []string
	ok(t, fs.WalkDir(f, ".", func(p string, d fs.DirEntry, err error) error {
		found = append(found, p)
		return err
	}))
	if got := strings.Join(found, " "); got != ". ok dir dir/x" && got != ". dir dir/x ok" {
		t.Fatal(got)
	}
	for _, name := range []string{"../x", "/etc/passwd", "a/../../b", "", "x\x00"} {
		if _, err := f.Open(name); err == nil {
			t.Fatal(name)
		}
	}
}

func TestFSFoldersAreClosedToo(t *testing.T) {
	folder := must[fs.File](t)(build(t, memory(t), "m:v1", "d/a", "alpha").FS(bg).Open("d"))
	ok(t, errors.Join(folder.Close(), folder.Close()))
	_, statErr := folder.Stat()
	_, readErr := folder.Read(nil)
	_, dirErr := folder.(fs.ReadDirFile).ReadDir(0)
	for _, err := range []error{statErr, readErr, dirErr} {
		var at *fs.PathError
		if !errors.As(err, &at) || at.Path != "d" || !errors.Is(err, fs.ErrClosed) {
			t.Fatal(err)
		}
	}
}

func TestFSServesRangesOverHTTP(t *testing.T) {
	a := build(t, store(t), "m:v1", "d/a.bin", "0123456789")
	server := httptest.NewServer(http.FileServerFS(a.FS(bg)))
	defer server.Close()
	req := must[*http.Request](t)(http.NewRequest("GET", server.URL+"/d/a.bin", nil))
	req.Header.Set("Range", "bytes=2-4")
	answer := must[*http.Response](t)(http.DefaultClient.Do(req))
	defer answer.Body.Close()
	if text := must[[]byte](t)(io.ReadAll(answer.Body)); string(text) != "234" || answer.StatusCode != 206 {
		t.Fatalf("%d %q", answer.StatusCode, text)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestFSOfAClosedArtifactFails(t *testing.T) {
	a := build(t, memory(t), "m:v1", "a", "alpha")
	f := a.FS(bg)
	s := must[fs.File](t)(f.Open("a"))
	defer s.Close()
	a.Close()
	_, err := f.Open("a")
	var at *fs.PathError
	if !errors.As(err, &at) || !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	if text := must[[]byte](t)(io.ReadAll(s)); string(text) != "alpha" {
		t.Fatalf("%q", text) // what came from the artifact lives on
	}
	if info := must[fs.FileInfo](t)(f.Stat("a")); info.Sys().(*Descriptor).Digest == "" {
		t.Fatal("no descriptor")
	}
}
