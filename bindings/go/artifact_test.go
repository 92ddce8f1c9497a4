// artifact_test.go - artifacts are built, found, described, copied and checked out, in every kind of place.

package mlreg

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestArtifactIsTheSameInEveryPlace(t *testing.T) {
	want := build(t, memory(t), "x/y:v1", "a.txt", "alpha", "dir/b.txt", "beta").Digest()
	eachPlace(t, func(t *testing.T, s *Session) {
		ref := refIn(t, s, "v1")
		built := build(t, s, ref, "a.txt", "alpha", "dir/b.txt", "beta")
		a := must[*Artifact](t)(s.Resolve(bg, ref))
		defer a.Close()
		if a.Digest() != want || built.Digest() != want {
			t.Fatalf("%s, %s, not %s", a.Digest(), built.Digest(), want)
		}
		layers := a.Layers()
		if len(layers) != 2 || layers[0].Title != "a.txt" || layers[1].Title != "dir/b.txt" || layers[1].Size != 4 {
			t.Fatalf("%+v", layers)
		}
		if !bytes.Contains(a.JSON(), []byte(layers[0].Digest)) || a.Descriptor().Size != int64(len(a.JSON())) {
			t.Fatalf("%s", a.JSON())
		}
		d, has := a.ConfigDescriptor()
		config := must[[]byte](t)(a.Config(bg))
		if !has || int64(len(config)) != d.Size {
			t.Fatalf("%+v %q", d, config)
		}
		if _, has := a.Subject(); has || len(a.Children()) != 0 {
			t.Fatal("a subject or children from nowhere")
		}
	})
}

// refIn is a tag in a repository of the test's own; of a layout the tag alone.
func refIn(t *testing.T, s *Session, tag string) string {
	if strings.HasSuffix(t.Name(), "/layout") {
		return tag
	}
	return fresh(t) + ":" + tag
}

func TestWhatAnArtifactTellsMayBeChanged(t *testing.T) {
	a := build(t, memory(t), "m:v1", "a", "alpha")
	config, _ := a.ConfigDescriptor()
	for _, d := range []Descriptor{a.Layers()[0], a.Descriptor(), config} {
		if d.Annotations != nil {
			d.Annotations["k"] = "v"
		}
	}
	a.Layers()[0].Title, a.JSON()[0] = "b", '?'
	if l := a.Layers()[0]; l.Annotations["k"] != "" || l.Title != "a" || a.JSON()[0] != '{' {
		t.Fatal(l)
	}
}

func TestArtifactCarriesConfigAnnotationsAndSubject(t *testing.T) {
	eachPlace(t, func(t *testing.T, s *Session) {
		base := build(t, s, refIn(t, s, "base"), "a", "alpha")
		b := must[*Builder](t)(s.NewBuilder("application/x.note"))
		defer b.Close()
		ok(t, b.SetConfig("application/x.config", []byte("{}")))
		ok(t, b.SetSubject(base.Digest()))
		ok(t, b.SetAnnotation("k", "v"))
		ok(t, b.SetAnnotation("ü", "ö"))
		note := must[*Artifact](t)(b.Commit(bg, refIn(t, s, "note"), nil))
		defer note.Close()
		subject, _ := note.Subject()
		d := note.Descriptor()
		if subject.Digest != base.Digest() || d.Annotations["k"] != "v" || d.Annotations["ü"] != "ö" || d.ArtifactType != "application/x.note" {
			t.Fatalf("%+v %+v", subject, d)
		}
		if config := must[[]byte](t)(note.Config(bg)); string(config) != "{}" {
			t.Fatalf("%q", config)
		}
		found := must[[]Descriptor](t)(s.Referrers(bg, refIn(t, s, "base"), "application/x.note"))
		if len(found) != 1 || found[0].Digest != note.Digest() {
			t.Fatalf("%+v", found)
		}
		if other := must[[]Descriptor](t)(s.Referrers(bg, refIn(t, s, "base"), "application/other")); len(other) != 0 {
			t.Fatalf("%+v", other)
		}
	})
}

func TestSessionListsAndDeletesTags(t *testing.T) {
	s := store(t)
	build(t, s, "b/two:v2", "a", "1")
	build(t, s, "a/one:v1", "a", "1")
	b := must[*Builder](t)(s.NewBuilder(""))
	defer b.Close()
	ok(t, b.AddBytes(bg, []byte("1"), &LayerOptions{Title: "a"}))
	must[*Artifact](t)(b.Commit(bg, "a/one:v2", &CommitOptions{Also: []string{"latest", "stable"}})).Close()
	if repos := must[[]string](t)(s.Repositories(bg)); !slices.Equal(repos, []string{"a/one", "b/two"}) {
		t.Fatal(repos)
	}
	if tags := must[[]string](t)(s.Tags(bg, "a/one")); !slices.Equal(tags, []string{"latest", "stable", "v1", "v2"}) {
		t.Fatal(tags)
	}
	ok(t, s.Delete(bg, "a/one:v1"))
	_, err := s.Resolve(bg, "a/one:v1")
	fails(t, err, ErrNotFound, fs.ErrNotExist)
	tags, err := s.Tags(bg, "no/such")
	fails(t, err, ErrNotFound)
	if tags != nil {
		t.Fatal(tags)
	}
}

func TestCopyMovesATagOnlyWhenTold(t *testing.T) {
	from, to := memory(t), store(t)
	build(t, from, "m:v1", "a", "new")
	old := build(t, to, "m:v1", "a", "old")
	_, err := Copy(bg, from, "m:v1", to, "", nil)
	fails(t, err, ErrExists, fs.ErrExist)
	_, err = Copy(bg, from, "m:v1", to, "", &CopyOptions{MoveTag: true, ExpectDigest: "sha256:" + strings.Repeat("0", 64)})
	fails(t, err, ErrExists)
	a := must[*Artifact](t)(Copy(bg, from, "m:v1", to, "", &CopyOptions{MoveTag: true, ExpectDigest: old.Digest()}))
	defer a.Close()
	if a.Digest() == old.Digest() {
		t.Fatal("the tag did not move")
	}
}

func TestCopyTakesReferrersAlong(t *testing.T) {
	from, to := memory(t), store(t)
	base := build(t, from, "m:v1", "a", "1")
	b := must[*Builder](t)(from.NewBuilder("application/x.note"))
	defer b.Close()
	ok(t, b.SetSubject(base.Digest()))
	ok(t, b.AddBytes(bg, []byte("n"), &LayerOptions{Title: "note"}))
	must[*Artifact](t)(b.Commit(bg, "m", nil)).Close()
	must[*Artifact](t)(Copy(bg, from, "m:v1", to, "", &CopyOptions{Referrers: true})).Close()
	if found := must[[]Descriptor](t)(to.Referrers(bg, "m:v1", "")); len(found) != 1 || found[0].ArtifactType != "application/x.note" {
		t.Fatalf("%+v", found)
	}
}

func TestCopyThroughEveryRegistryKeepsTheDigest(t *testing.T) {
	if len(registries()) == 0 {
		t.Skip("MLREG_TEST_REGISTRY names no registry")
	}
	for _, location := range registries() {
		t.Run(location, func(t *testing.T) {
			t.Parallel()
			from, hub, to := memory(t), hub(t, location), store(t)
			a := build(t, from, fresh(t)+":v1", "a", strings.Repeat("x", 3<<20), "b", "small")
			var last Stats
			pushed := must[*Artifact](t)(Copy(bg, from, fresh(t)+":v1", hub, "", &CopyOptions{Progress: func(s Stats) error { last = s; return nil }}))
			defer pushed.Close()
			if last.BytesNetwork < 3<<20 || last.Requests == 0 {
				t.Fatalf("%+v", last)
			}
			pulled := must[*Artifact](t)(Copy(bg, hub, fresh(t)+"@"+a.Digest(), to, fresh(t)+":v1", nil))
			defer pulled.Close()
			if pushed.Digest() != a.Digest() || pulled.Digest() != a.Digest() {
				t.Fatal(a.Digest(), pushed.Digest(), pulled.Digest())
			}
			text := must[[]byte](t)(fs.ReadFile(pushed.FS(bg), "b"))
			if string(text) != "small" {
				t.Fatalf("%q", text)
			}
		})
	}
}

func TestCheckoutWritesTheFilesThatMatch(t *testing.T) {
	a := build(t, memory(t), "m:v1", "a.json", "1", "b.bin", "2", "sub/c.json", "3", "sub/d.json", "4")
	dir := t.TempDir() + "/out"
	ok(t, a.Checkout(bg, dir, &CheckoutOptions{Include: []string{"*.json", "sub/*.json"}, Exclude: []string{"sub/d*"}}))
	var found []string
	ok(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, strings.TrimPrefix(p, dir+"/"))
		}
		return err
	}))
	if !slices.Equal(found, []string{"a.json", "sub/c.json"}) {
		t.Fatal(found)
	}
}

func TestBuilderAddsTreesFilesAndReaders(t *testing.T) {
	dir := t.TempDir()
	ok(t, os.MkdirAll(dir+"/tree/sub", 0o755))
	ok(t, os.WriteFile(dir+"/tree/sub/x", []byte("x"), 0o644))
	ok(t, os.WriteFile(dir+"/y", []byte("y"), 0o644))
	b := must[*Builder](t)(memory(t).NewBuilder(""))
	defer b.Close()
	ok(t, b.AddTree(bg, dir+"/tree", &LayerOptions{Title: "pre"}))
	ok(t, b.AddFile(bg, dir+"/y", &LayerOptions{MediaType: "text/x"}))
	f := must[*os.File](t)(os.Open(dir + "/y"))
	defer f.Close()
	ok(t, b.AddReaderAt(bg, f, 1, &LayerOptions{Title: "z"}))
	a := must[*Artifact](t)(b.Commit(bg, "m:v1", nil))
	defer a.Close()
	var titles []string
	for _, l := range a.Layers() {
		titles = append(titles, l.Title)
	}
	if !slices.Equal(titles, []string{"pre/sub/x", "y", "z"}) || a.Layers()[1].MediaType != "text/x" {
		t.Fatalf("%+v", a.Layers())
	}
	_, err := b.Commit(bg, "m:v1", nil)
	fails(t, err, ErrState)
}

func TestLayerFileIsAReadOnlyFileOfTheStore(t *testing.T) {
	a := build(t, store(t), "m:v1", "a", "alpha")
	f := must[*os.File](t)(a.OpenLayerFile(0))
	defer f.Close()
	if text := must[[]byte](t)(io.ReadAll(f)); string(text) != "alpha" {
		t.Fatalf("%q", text)
	}
	if _, err := f.Write([]byte("x")); err == nil {
		t.Fatal("the store's file could be written")
	}
	_, err := a.OpenLayerFile(1)
	fails(t, err, ErrInvalid)
	_, err = build(t, memory(t), "m:v1", "a", "alpha").OpenLayerFile(0)
	fails(t, err, ErrNotSupported, errors.ErrUnsupported)
}

func TestGCRemovesAndFsckFinds(t *testing.T) {
	s := store(t)
	build(t, s, "m:v1", "a", "alpha")
	ok(t, s.Delete(bg, "m:v1"))
	dry := must[GCReport](t)(s.GC(bg, &GCOptions{DryRun: true, Grace: -1}))
	wet := must[GCReport](t)(s.GC(bg, &GCOptions{Grace: -1}))
	if dry.Blobs == 0 || dry != wet {
		t.Fatalf("%+v %+v", dry, wet)
	}
	if problems := must[[]string](t)(s.Fsck(bg, nil)); len(problems) != 0 {
		t.Fatal(problems)
	}
	_, err := memory(t).Fsck(bg, &FsckOptions{Repair: true})
	fails(t, err, ErrNotSupported)
}

func TestFsckNamesADamagedBlob(t *testing.T) {
	dir := t.TempDir() + "/store"
	s := place(t, dir, &Options{Create: true})
	a := build(t, s, "m:v1", "a", "alpha")
	blob := dir + "/m/blobs/sha256/" + strings.TrimPrefix(a.Layers()[0].Digest, "sha256:")
	ok(t, os.Chmod(blob, 0o644))
	ok(t, os.WriteFile(blob, []byte("wrong"), 0o644))
	problems := must[[]string](t)(s.Fsck(bg, nil))
	if len(problems) == 0 || !strings.Contains(strings.Join(problems, "\n"), a.Layers()[0].Digest[7:19]) {
		t.Fatal(problems)
	}
}

func TestNamesAreTakenApart(t *testing.T) {
	n := must[Name](t)(ParseName("localhost:5000/a/b:v1"))
	if n != (Name{"http://localhost:5000", "a/b:v1", "localhost:5000/a/b:v1", "a/b", "v1", ""}) {
		t.Fatalf("%+v", n)
	}
	if n := must[Name](t)(ParseName("a:v1")); n.Location != "" || n.Tag != "v1" {
		t.Fatalf("%+v", n)
	}
	_, err := ParseName("A B")
	fails(t, err, ErrInvalid, fs.ErrInvalid)
	var e *Error
	if errors.As(err, &e); e.Hint == "" || e.Subject != "A B" {
		t.Fatalf("%+v", e)
	}
}
