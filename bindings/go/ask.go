// ask.go - what a place is asked, and told to forget: artifacts, tags, repositories, referrers, credentials.

package mlreg

/*
#include "bridge.h"
*/
import "C"

import "context"

// Resolve finds what a reference names and fetches its manifest, verified. The
// reference is "repo:tag" or "repo@sha256:<hex>"; of a layout "tag", ":tag" or
// "@sha256:<hex>".
func (s *Session) Resolve(ctx context.Context, ref string) (*Artifact, error) {
	return s.ResolveVariant(ctx, ref, nil)
}

// ResolveVariant is Resolve, but for an index: of that it finds the entry that
// fits what is wanted best. Where none does, the error is [ErrNotSupported] and
// lists what there is and what was missing; a nil wish is none.
func (s *Session) ResolveVariant(ctx context.Context, ref string, w *Wish) (*Artifact, error) {
	var t texts
	cref, wish := t.need("the reference", ref), t.wish(w)
	if t.err != nil {
		return nil, t.err
	}
	var out *Artifact
	err := s.do(ctx, watch{}, func(cs *C.mlreg_session, op *C.mlreg_op, e **C.mlreg_error) C.int {
		var a *C.mlreg_artifact
		rc := C.mlreg_go_resolve(cs, cref, wish.c(), op, &a, e)
		if rc == 0 {
			out = newArtifact(a, s.cb)
		}
		return rc
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Tags gives the tags of a repository, sorted.
func (s *Session) Tags(ctx context.Context, repo string) ([]string, error) {
	var t texts
	crepo := t.need("the repository", repo)
	if t.err != nil {
		return nil, t.err
	}
	l, err := s.list(ctx, watch{}, func(cs *C.mlreg_session, op *C.mlreg_op, out **C.mlreg_list, e **C.mlreg_error) C.int {
		return C.mlreg_session_tags(cs, crepo, op, out, e)
	})
	return names(l), err
}

// Repositories gives the repositories of a place, sorted. Many registries have
// no catalogue: [ErrNotSupported].
func (s *Session) Repositories(ctx context.Context) ([]string, error) {
	l, err := s.list(ctx, watch{}, func(cs *C.mlreg_session, op *C.mlreg_op, out **C.mlreg_list, e **C.mlreg_error) C.int {
		return C.mlreg_session_repositories(cs, op, out, e)
	})
	return names(l), err
}

// Referrers gives what refers to an artifact by its subject: descriptors, each
// checked by reading it. An artifactType of "" is any.
func (s *Session) Referrers(ctx context.Context, ref, artifactType string) ([]Descriptor, error) {
	var t texts
	cref, ctype := t.need("the reference", ref), t.may("the artifact type", artifactType)
	if t.err != nil {
		return nil, t.err
	}
	l, err := s.list(ctx, watch{}, func(cs *C.mlreg_session, op *C.mlreg_op, out **C.mlreg_list, e **C.mlreg_error) C.int {
		return C.mlreg_session_referrers(cs, cref, ctype, op, out, e)
	})
	return descriptors(l), err
}

// Delete removes a tag or, with a digest, a manifest and every tag on it. Blobs
// go when the place collects them: for a store, [Session.GC].
func (s *Session) Delete(ctx context.Context, ref string) error {
	var t texts
	cref := t.need("the reference", ref)
	if t.err != nil {
		return t.err
	}
	return s.do(ctx, watch{}, func(cs *C.mlreg_session, op *C.mlreg_op, e **C.mlreg_error) C.int {
		return C.mlreg_session_delete(cs, cref, op, e)
	})
}

// Login checks name and secret against a registry and keeps them where docker
// keeps its own; where says where. A refusal is [ErrAuth], and nothing is kept.
func (s *Session) Login(ctx context.Context, name, secret string) (where string, err error) {
	var t texts
	cname, csecret := t.need("the name", name), t.need("the secret", secret)
	if t.err != nil {
		return "", invalid("the name or the secret holds a NUL byte") // and is not to be shown
	}
	l, err := s.list(ctx, watch{}, func(cs *C.mlreg_session, op *C.mlreg_op, out **C.mlreg_list, e **C.mlreg_error) C.int {
		return C.mlreg_session_login(cs, cname, csecret, op, out, e)
	})
	return first(names(l)), err
}

// Logout forgets what Login, or docker login, kept for this registry; where
// says where. Where nothing was, the error is [ErrNotFound].
func (s *Session) Logout(ctx context.Context) (where string, err error) {
	l, err := s.list(ctx, watch{}, func(cs *C.mlreg_session, op *C.mlreg_op, out **C.mlreg_list, e **C.mlreg_error) C.int {
		return C.mlreg_session_logout(cs, op, out, e)
	})
	return first(names(l)), err
}

// list makes a C call that fills in a list; nil if it fails.
func (s *Session) list(ctx context.Context, w watch,
	f func(s *C.mlreg_session, op *C.mlreg_op, out **C.mlreg_list, e **C.mlreg_error) C.int) (*C.mlreg_list, error) {
	return listed(func(out **C.mlreg_list) error {
		return s.do(ctx, w, func(cs *C.mlreg_session, op *C.mlreg_op, e **C.mlreg_error) C.int { return f(cs, op, out, e) })
	})
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}
