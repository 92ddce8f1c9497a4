// doc.go - the package at a glance.

// Package mlreg builds, pushes, pulls, streams and verifies machine-learning
// models in OCI registries and in a local store. It binds the C library
// libmlreg, which pkg-config must find when a program is built and the dynamic
// loader when it runs.
//
// # Places and artifacts
//
// A [Session] is one open place that holds artifacts: a registry
// ("https://ghcr.io"), a store (a directory), one OCI image layout
// ("oci:./out") or "memory:". An [Artifact] is one resolved manifest:
// immutable, known by digest, readable wherever it lives. [Copy] is pull, push,
// promote and tag in one:
//
//	hub, err := mlreg.Open(ctx, "https://ghcr.io", nil)
//	store, err := mlreg.Open(ctx, "./models", &mlreg.Options{Create: true})
//	model, err := mlreg.Copy(ctx, hub, "team/llama:v1", store, "", nil)
//	err = model.Checkout(ctx, "./llama", nil)
//
// [Artifact.FS] shows an artifact's files as an [io/fs.FS], [Artifact.OpenLayer]
// reads one as an [io.ReadSeekCloser] and [io.ReaderAt], and a [Builder] makes
// artifacts, images that run, and indexes of them for several machines. Bytes
// are checked against their digest before they can be read. An [Upload] and the
// calls beside it are for programs that are a registry to others.
//
// # Contexts
//
// Every call that takes long begins with a context. When it is cancelled or its
// time is up, the call returns within a second with an error that matches
// [ErrCancelled] and the context's own. A stream keeps the context that it was
// opened with, for all its reads, as the body of an HTTP response does.
//
// # Errors
//
// All errors are of type *[Error] and match, by [errors.Is], the [Code] that
// they are of and the standard library's error that means the same, if there is
// one: an artifact that is not there is [ErrNotFound] and [io/fs.ErrNotExist].
// Methods of the standard library's interfaces fail as those say, with [io.EOF]
// or a *[io/fs.PathError] that wraps an *[Error].
//
// # Handles
//
// [Session], [Artifact], [Stream], [Builder], [Upload] and [Runtime] own memory
// and files outside of Go: Close them. Close is safe at any time, from any
// goroutine and again: calls in progress finish first, those of a Stream end at
// once, later ones fail with [ErrClosed], and what came from a handle lives on
// when that is closed. The garbage collector closes what was forgotten, but not
// soon. A nil handle is an error, not a panic.
//
// Any number of goroutines may use a Session, a Runtime, an Artifact and
// [Stream.ReadAt] at once. A Builder refuses a second call at the same time; an
// Upload's calls wait for each other.
//
// # Callbacks
//
// Callbacks run while the call that caused them waits, one at a time, on a
// goroutine of their own. An error that one returns ends the call, and the
// call's error wraps it; a panic ends the call and comes out of it. A callback
// must not use the handles of the call that it serves.
package mlreg
