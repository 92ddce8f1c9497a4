// example_test.go - programs of one idea each; what they print is checked.

package mlreg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	mlreg "github.com/libmlreg/libmlreg/bindings/go"
)

// exampleModel puts an artifact with two files into a place in memory.
func exampleModel(ctx context.Context) (*mlreg.Session, *mlreg.Artifact) {
	place, err := mlreg.Open(ctx, "memory:", nil)
	if err != nil {
		log.Fatal(err)
	}
	b, err := place.NewBuilder("")
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	err = errors.Join(
		b.AddBytes(ctx, []byte(`{"hidden_size": 8}`), &mlreg.LayerOptions{Title: "config.json"}),
		b.AddBytes(ctx, []byte("0123456789"), &mlreg.LayerOptions{Title: "weights/part-1.bin"}))
	if err != nil {
		log.Fatal(err)
	}
	model, err := b.Commit(ctx, "team/demo:v1", nil)
	if err != nil {
		log.Fatal(err)
	}
	return place, model
}

// A model goes from one place into a store and from there into a folder. With
// "https://ghcr.io" in place of "memory:" this is a pull.
func Example() {
	ctx := context.Background()
	hub, model := exampleModel(ctx)
	defer hub.Close()
	defer model.Close()

	dir, err := os.MkdirTemp("", "mlreg")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := mlreg.Open(ctx, filepath.Join(dir, "models"), &mlreg.Options{Create: true})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	pulled, err := mlreg.Copy(ctx, hub, "team/demo:v1", store, "", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer pulled.Close()
	if err := pulled.Checkout(ctx, filepath.Join(dir, "files"), nil); err != nil {
		log.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "files", "config.json"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pulled.Digest() == model.Digest(), string(text))
	// Output: true {"hidden_size": 8}
}

// Copy tells how far it is, and ends when its time is up.
func ExampleCopy() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	hub, model := exampleModel(ctx)
	defer hub.Close()
	defer model.Close()
	store, err := mlreg.Open(ctx, "memory:", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	var last mlreg.Stats
	copied, err := mlreg.Copy(ctx, hub, "team/demo:v1", store, "mirror/demo:v1", &mlreg.CopyOptions{
		Progress: func(s mlreg.Stats) error {
			last = s
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer copied.Close()
	fmt.Println(last.BytesDone == last.BytesTotal, copied.Repository())
	// Output: true mirror/demo
}

// Errors match codes and the standard library's errors, and say more by errors.As.
func ExampleError() {
	ctx := context.Background()
	place, model := exampleModel(ctx)
	defer place.Close()
	defer model.Close()

	_, err := place.Resolve(ctx, "team/demo:v2")
	fmt.Println(errors.Is(err, mlreg.ErrNotFound), errors.Is(err, fs.ErrNotExist))
	var e *mlreg.Error
	if errors.As(err, &e) {
		fmt.Println(e.Code, "-", e.Subject)
	}
	// Output:
	// true true
	// not found - team/demo:v2
}

// An artifact's files are a file system.
func ExampleArtifact_FS() {
	ctx := context.Background()
	place, model := exampleModel(ctx)
	defer place.Close()
	defer model.Close()

	files := model.FS(ctx)
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		fmt.Println(path, d.IsDir())
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	text, err := fs.ReadFile(files, "config.json")
	fmt.Println(string(text), err)
	// Output:
	// . true
	// config.json false
	// weights true
	// weights/part-1.bin false
	// {"hidden_size": 8} <nil>
}

// A layer is read in part, or in sequence.
func ExampleArtifact_OpenLayer() {
	ctx := context.Background()
	place, model := exampleModel(ctx)
	defer place.Close()
	defer model.Close()

	for i, layer := range model.Layers() {
		if layer.Title != "weights/part-1.bin" {
			continue
		}
		s, err := model.OpenLayer(ctx, i, nil)
		if err != nil {
			log.Fatal(err)
		}
		defer s.Close()
		part := make([]byte, 3)
		if _, err := s.ReadAt(part, 4); err != nil {
			log.Fatal(err)
		}
		all, err := io.ReadAll(s)
		fmt.Println(string(part), string(all), err)
	}
	// Output: 456 0123456789 <nil>
}

// A checkpoint goes from memory into an artifact. The same bytes give the same
// digest.
func ExampleBuilder() {
	ctx := context.Background()
	place, err := mlreg.Open(ctx, "memory:", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer place.Close()
	b, err := place.NewBuilder("")
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()

	weights := strings.NewReader("any io.ReaderAt will do")
	err = errors.Join(
		b.SetAnnotation("example.run", "demo"),
		b.AddReaderAt(ctx, weights, weights.Size(), &mlreg.LayerOptions{Title: "weights.bin"}))
	if err != nil {
		log.Fatal(err)
	}
	checkpoint, err := b.Commit(ctx, "runs/demo:step-1", &mlreg.CommitOptions{Also: []string{"latest"}})
	if err != nil {
		log.Fatal(err)
	}
	defer checkpoint.Close()
	tags, err := place.Tags(ctx, "runs/demo")
	fmt.Println(checkpoint.Layers()[0].Size, tags, err)
	// Output: 23 [latest step-1] <nil>
}

// A written name is taken apart.
func ExampleParseName() {
	n, err := mlreg.ParseName("ghcr.io/team/llama:v1")
	fmt.Println(n.Location, n.Ref, n.Tag, err)
	// Output: https://ghcr.io team/llama:v1 v1 <nil>
}
