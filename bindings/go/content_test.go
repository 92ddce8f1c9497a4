// content_test.go - content by digest, as a registry is asked for it.

package mlreg

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"testing"
)

func digestOf(b string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(b))) }

func TestContentComesInPiecesAndByDigest(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, t.TempDir()+"/store", &Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	u, err := s.OpenUpload(ctx, "team/x", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = u.Write([]byte("{")); err != nil {
		t.Fatal(err)
	}
	if err = u.Commit(ctx, digestOf("{}")); !errors.Is(err, ErrDigest) {
		t.Fatal(err)
	}
	if err = u.Keep(); err != nil {
		t.Fatal(err)
	}
	u.Close()
	if u, err = s.OpenUpload(ctx, "team/x", u.ID()); err != nil || u.Size() != 1 {
		t.Fatal(err)
	}
	io.WriteString(u, "}")
	if err = u.Commit(ctx, digestOf("{}")); err != nil {
		t.Fatal(err)
	}
	u.Close()
	if err = s.Mount(ctx, "team/y", digestOf("{}"), "team/x"); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Blob(ctx, "team/y", digestOf("{}")); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	f, err := s.OpenBlob(ctx, "team/y", digestOf("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || string(b) != "{}" {
		t.Fatal(string(b), err)
	}
	if err = s.Release(digestOf("{}")); err != nil {
		t.Fatal(err)
	}
	manifest := fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"%s","size":2},"layers":[]}`, digestOf("{}"))
	a, err := s.Put(ctx, "team/y:1", []byte(manifest), nil)
	if err != nil || a.Digest() != digestOf(manifest) {
		t.Fatal(err)
	}
	if u, err = s.OpenUpload(ctx, "team/x", ""); err != nil {
		t.Fatal(err)
	}
	if err = u.Cancel(); err != nil {
		t.Fatal(err)
	}
	if _, err = s.OpenUpload(ctx, "team/x", u.ID()); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
}
