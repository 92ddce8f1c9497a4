// content_test.go - content by digest, as a registry is asked for it.

package mlreg

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
)

func digestOf(b string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(b))) }

// upload opens one, closed at the test's end.
func upload(t *testing.T, s *Session, id string) *Upload {
	t.Helper()
	u := must[*Upload](t)(s.OpenUpload(bg, "team/x", id))
	t.Cleanup(func() { u.Close() })
	return u
}

// uploaded makes text a blob of "team/x" and gives its digest.
func uploaded(t *testing.T, s *Session, text string) string {
	t.Helper()
	u := upload(t, s, "")
	must[int](t)(io.WriteString(u, text))
	ok(t, u.Commit(bg, digestOf(text)))
	ok(t, u.Close())
	return digestOf(text)
}

func TestUploadGoesOnByItsID(t *testing.T) {
	s := store(t)
	u := upload(t, s, "")
	must[int](t)(u.Write([]byte("{")))
	fails(t, u.Commit(bg, digestOf("{}")), ErrDigest)
	ok(t, u.Keep())
	_, err := s.OpenUpload(bg, "team/x", u.ID())
	fails(t, err, ErrBusy)
	ok(t, errors.Join(u.Close(), u.Close()))
	fails(t, u.Keep(), ErrClosed)
	again := upload(t, s, u.ID())
	if again.Size() != 1 {
		t.Fatal(again.Size())
	}
	must[int](t)(again.Write(nil))
	must[int](t)(io.WriteString(again, "}"))
	ok(t, again.Commit(bg, digestOf("{}")))
	if n := must[int64](t)(s.Blob(bg, "team/x", digestOf("{}"))); n != 2 {
		t.Fatal(n)
	}
}

func TestUploadThatIsCancelledIsGone(t *testing.T) {
	s := store(t)
	u := upload(t, s, "")
	must[int](t)(u.Write([]byte("x")))
	ok(t, u.Keep())
	ok(t, u.Cancel())
	fails(t, u.Cancel(), ErrClosed)
	_, err := s.OpenUpload(bg, "team/x", u.ID())
	fails(t, err, ErrNotFound)
}

func TestUploadsNilAndZeroFail(t *testing.T) {
	for u, want := range map[*Upload]error{nil: ErrInvalid, new(Upload): ErrClosed} {
		_, err := u.Write([]byte("x"))
		fails(t, err, want)
		fails(t, u.Keep(), want)
		fails(t, u.Cancel(), want)
		fails(t, u.Commit(bg, digestOf("x")), want)
		ok(t, u.Close())
		if u.ID() != "" || u.Size() != 0 {
			t.Fatal("something of nothing")
		}
	}
}

// The race detector watches.
func TestUploadIsClosedBesideItsWriters(t *testing.T) {
	u := upload(t, store(t), "")
	var all sync.WaitGroup
	for range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 100 {
				if _, err := u.Write(make([]byte, 1000)); err != nil {
					fails(t, err, ErrClosed)
				}
				u.Size()
			}
		}()
	}
	ok(t, u.Close())
	all.Wait()
}

func TestContentIsFoundMountedReadAndNamed(t *testing.T) {
	s := store(t)
	digest := uploaded(t, s, "{}")
	ok(t, s.Mount(bg, "team/y", digest, "team/x"))
	if n := must[int64](t)(s.Blob(bg, "team/y", digest)); n != 2 {
		t.Fatal(n)
	}
	f := must[io.ReadCloser](t)(s.OpenBlob(bg, "team/y", digest))
	defer f.Close()
	if text := must[[]byte](t)(io.ReadAll(f)); string(text) != "{}" {
		t.Fatalf("%q", text)
	}
	ok(t, s.Release("team/x", digest))
	manifest := fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"%s","size":2},"layers":[]}`, digest)
	a := must[*Artifact](t)(s.Put(bg, "team/y:1", []byte(manifest), nil))
	defer a.Close()
	if a.Digest() != digestOf(manifest) {
		t.Fatal(a.Digest())
	}
	_, err := s.Put(bg, "team/y:1", []byte(manifest+" "), nil)
	fails(t, err, ErrExists)
	_, err = s.Put(bg, "team/y:1", []byte(manifest+" "), &PutOptions{MoveTag: true, ExpectDigest: digestOf("other")})
	fails(t, err, ErrExists)
	moved := must[*Artifact](t)(s.Put(bg, "team/y:1", []byte(manifest+" "), &PutOptions{MoveTag: true}))
	moved.Close()
}

func TestContentOfOtherPlacesIsNotThere(t *testing.T) {
	s := memory(t)
	_, err := s.OpenUpload(bg, "team/x", "")
	fails(t, err, ErrNotSupported)
	_, err = s.Blob(bg, "team/x", digestOf("none"))
	fails(t, err, ErrNotFound)
	for _, location := range registries() {
		_, err = hub(t, location).OpenUpload(bg, "team/x", "")
		fails(t, err, ErrNotSupported)
	}
}
