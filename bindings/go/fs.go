// fs.go - an artifact's files as an fs.FS.

package mlreg

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// An FS shows the files of an artifact: its layers by their titles, and the
// folders that the titles imply. It is an [fs.FS], [fs.ReadDirFS] and
// [fs.StatFS]; its files are [io.Seeker] and [io.ReaderAt] too, so that
// [net/http.FS] serves ranges of them. Times are zero, and Sys of a file's info
// is its *[Descriptor].
//
// Layers without a title, with one that is no path in the sense of
// [fs.ValidPath] ("../x", "/etc"), or with one that clashes with a layer before
// are left out. A layer that is a plain tar of one file, as images have them, is
// that file; other archives are files here, and [Artifact.Checkout] unpacks
// them. Which of them a tar is, and the size, is looked up when it is asked for.
type FS struct {
	ctx   context.Context
	a     *Artifact
	nodes map[string]*node
}

var (
	_ fs.ReadDirFS = (*FS)(nil)
	_ fs.StatFS    = (*FS)(nil)
)

// A node is a file, or a folder with its entries.
type node struct {
	name    string
	layer   int // -1: a folder
	about   *Descriptor
	entries []fs.DirEntry // sorted by name

	mu      sync.Mutex // guards what follows, of a layer that may be a tar
	looked  bool
	archive bool // no tar of one file
	size    int64
}

// FS shows the artifact's files. The context rules every opening and reading;
// opening a file is [Artifact.OpenLayer]. The artifact must stay open.
func (a *Artifact) FS(ctx context.Context) *FS {
	f := &FS{ctx: ctx, a: a, nodes: map[string]*node{".": {name: ".", layer: -1}}}
	layers := a.Layers()
	for i := range layers {
		f.add(&layers[i], i)
	}
	for _, n := range f.nodes {
		slices.SortFunc(n.entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	}
	return f
}

func (f *FS) add(d *Descriptor, layer int) {
	if d.Title == "." || !fs.ValidPath(d.Title) || f.nodes[d.Title] != nil {
		return
	}
	for dir := path.Dir(d.Title); ; dir = path.Dir(dir) {
		if n := f.nodes[dir]; n != nil {
			if n.layer >= 0 {
				return // a file is where a folder would have to be
			}
			break
		}
	}
	f.put(d.Title, &node{name: path.Base(d.Title), layer: layer, about: d})
}

// put places a node into its folder, which it makes, with its own, if need be.
func (f *FS) put(name string, n *node) {
	dir := path.Dir(name)
	if f.nodes[dir] == nil {
		f.put(dir, &node{name: path.Base(dir), layer: -1})
	}
	f.nodes[name] = n
	f.nodes[dir].entries = append(f.nodes[dir].entries, entry{f, n})
}

func (f *FS) find(verb, name string) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: verb, Path: name, Err: fs.ErrInvalid}
	}
	if n := f.nodes[name]; n != nil {
		return n, nil
	}
	return nil, &fs.PathError{Op: verb, Path: name, Err: fs.ErrNotExist}
}

// Open opens a file or folder.
func (f *FS) Open(name string) (fs.File, error) {
	n, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	if n.layer < 0 {
		return &folder{n: n, path: name}, nil
	}
	archive, _, err := f.look(n)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	s, err := f.a.OpenLayer(f.ctx, n.layer, &StreamOptions{File: !archive})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &file{s, n}, nil
}

// look finds out whether a layer is an archive, and how long the file is else.
// Of a tar the headers are read, once: to open it first would bring all of it.
func (f *FS) look(n *node) (archive bool, size int64, err error) {
	if !strings.Contains(n.about.MediaType, ".tar") {
		return false, n.about.Size, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.looked {
		_, size, err := f.a.FileRange(f.ctx, n.layer)
		n.archive = errors.Is(err, ErrNotSupported)
		if n.archive {
			size, err = n.about.Size, nil
		}
		if err != nil {
			return false, 0, err
		}
		n.size, n.looked = size, true
	}
	return n.archive, n.size, nil
}

// info tells of a node.
func (f *FS) info(n *node) (fs.FileInfo, error) {
	if n.layer < 0 {
		return info{n, 0}, nil
	}
	_, size, err := f.look(n)
	if err != nil {
		return nil, err
	}
	return info{n, size}, nil
}

// Stat tells of a file without opening it.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	n, err := f.find("stat", name)
	if err != nil {
		return nil, err
	}
	i, err := f.info(n)
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return i, nil
}

// ReadDir gives what is in a folder, sorted by name.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := f.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if n.layer >= 0 {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errNoFolder}
	}
	return slices.Clone(n.entries), nil
}

var (
	errNoFolder = invalid("this is a file")
	errFolder   = invalid("this is a folder")
)

// A file is a layer that knows its name.
type file struct {
	*Stream
	n *node
}

func (f *file) Stat() (fs.FileInfo, error) {
	if err := f.usable(); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: f.n.name, Err: err}
	}
	return info{f.n, f.Size()}, nil
}

// A folder is open for listing.
type folder struct {
	n      *node
	path   string
	next   int
	closed bool
}

func (f *folder) usable(verb string) error {
	if f.closed {
		return &fs.PathError{Op: verb, Path: f.path, Err: closed("folder")}
	}
	return nil
}

func (f *folder) Stat() (fs.FileInfo, error) {
	if err := f.usable("stat"); err != nil {
		return nil, err
	}
	return info{f.n, 0}, nil
}

func (f *folder) Read([]byte) (int, error) {
	if err := f.usable("read"); err != nil {
		return 0, err
	}
	return 0, &fs.PathError{Op: "read", Path: f.path, Err: errFolder}
}

func (f *folder) Close() error {
	f.closed = true
	return nil
}

// ReadDir reads on, as [fs.ReadDirFile] says.
func (f *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	if err := f.usable("readdir"); err != nil {
		return nil, err
	}
	rest := f.n.entries[f.next:]
	if n > 0 && len(rest) == 0 {
		return nil, io.EOF
	}
	if n > 0 && len(rest) > n {
		rest = rest[:n]
	}
	f.next += len(rest)
	return slices.Clone(rest), nil
}

// An entry of a folder.
type entry struct {
	f *FS
	n *node
}

func (e entry) Name() string               { return e.n.name }
func (e entry) IsDir() bool                { return e.n.layer < 0 }
func (e entry) Type() fs.FileMode          { return info{e.n, 0}.Mode().Type() }
func (e entry) Info() (fs.FileInfo, error) { return e.f.info(e.n) }
func (e entry) String() string             { return fs.FormatDirEntry(e) }

// An info is a node as fs.FileInfo.
type info struct {
	n    *node
	size int64
}

func (i info) Name() string       { return i.n.name }
func (i info) IsDir() bool        { return i.n.layer < 0 }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) Size() int64        { return i.size }

func (i info) Mode() fs.FileMode {
	if i.IsDir() {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

func (i info) Sys() any {
	if i.n.about == nil {
		return nil
	}
	return i.n.about
}
