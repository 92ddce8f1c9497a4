/* place/mirrored.h - a registry that is read through its mirrors: each in turn, then where it is itself. */
#ifndef MLR_PLACE_MIRRORED_H
#define MLR_PLACE_MIRRORED_H
#include "net/mirrors.h"
#include "place/registry.h"

/* What a registry keeps about where else it is read. *out NULL: registries.conf says nothing at all. */
typedef struct mlr_mirrored mlr_mirrored;
int  mlr_mirrored_new(mlr_mirrored **out, mlreg_error **err);
void mlr_mirrored_free(mlr_mirrored *m);                       /* NULL is fine */
int  mlr_mirrored_allow(const mlr_registry *g, const char *repo, mlreg_error **err);   /* EPOLICY: blocked */

/* Operations of place.h, in place of the registry's own. */
int  mlr_mirrored_manifest_read(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_buf *out, char **media_type,
        mlreg_error **err);
int  mlr_mirrored_blob_open(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err);
int  mlr_mirrored_blob_later(mlr_place *p, const mlr_blob *b, mlr_reader **out, mlreg_error **err);
int  mlr_mirrored_blob_wrong(mlr_place *p, const mlr_blob *b, mlr_op *op);

/* mirrored_walk.c, for mirrored*.c: one thing on its way through the sources of a repository. */
typedef struct mlr_walk {
    mlr_registry *g;
    mlr_sources sources;               /* none: only the registry itself is asked, as if there were no mirrors */
    size_t at;                         /* the one whose turn it is */
    bool is_away;                      /* it did not answer a moment ago, and was not asked */
    mlr_buf tried;                     /* what came before: "host: why; host: why" */
    char what[300];                    /* for the log */
} mlr_walk;
int  mlr_walk_begin(mlr_walk *w, mlr_registry *g, const char *repo, const char *word, const char *what,
        mlreg_error **err);
/* Who is to be asked now, and by which name; a mirror that did not answer a moment ago fails at once. */
int  mlr_walk_here(mlr_walk *w, mlr_registry **place, const char **repo, mlreg_error **err);
/* After a failure: whether to go on with the next, with *why noted and freed; else *why is the last word and tells all
 * that was tried. */
bool mlr_walk_on(mlr_walk *w, int rc, mlr_op *op, mlreg_error **why);
void mlr_walk_skip(mlr_walk *w, size_t n, const char *why);    /* the first n are known to fail */
void mlr_walk_done(mlr_walk *w);

/* mirrored.c: the place of a source, opened once. Patient: it is the last one, and is tried as often as the session says. */
int  mlr_mirrored_place(mlr_registry *g, const mlr_source *s, bool patient, mlr_registry **out, bool *is_away,
        mlreg_error **err);
void mlr_mirrored_away(mlr_registry *g, const mlr_source *s);  /* it did not answer: not asked again for a while */
int  mlr_mirrored_choose(mlr_registry *g, const char *repo, const char *word, mlr_sources *out, mlreg_error **err);
/* Which source gave the bytes of a blob, and which are not to be asked for it any more. */
size_t mlr_mirrored_skipped(mlr_registry *g, const mlr_digest *d);
int  mlr_mirrored_gave(mlr_registry *g, const mlr_digest *d, size_t source, size_t n_sources, mlreg_error **err);
#endif
