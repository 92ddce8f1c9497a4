/* model/variant.h - one entry of an index: what it needs of a machine, as its annotations say; and which entry fits a machine best. */
#ifndef MLR_MODEL_VARIANT_H
#define MLR_MODEL_VARIANT_H
#include "model/host.h"
#include "place/digestmap.h"
#include "place/place.h"

/* What OCI has no field for, an annotation each; mlreg.h documents them. */
#define MLR_VARIANT_PREFIX "io.github.libmlreg.variant."

/* Every text is NULL where the entry says nothing of it; lists have blanks or commas between. Borrowed from the entry, `owned` excepted. */
typedef struct mlr_variant {
    const mlr_descriptor *entry;
    const char *name, *accelerator, *compute, *driver, *runtime, *cpu, *precision, *format;
    uint64_t memory_bytes;
    char *owned[3];                  /* what KitOps writes in its own way */
} mlr_variant;
int  mlr_variant_read(const mlr_descriptor *entry, mlr_variant *out, mlreg_error **err);
void mlr_variant_done(mlr_variant *v);
/* Nothing but a platform: what docker and others may take without knowing more. */
bool mlr_variant_is_plain(const mlr_variant *v);
/* KitOps' modelMetadata, where the entry has it and no annotation of ours. */
int  mlr_variant_read_kitops(const mlr_descriptor *entry, mlr_variant *v, mlreg_error **err);

/* "nvidia" and "cuda", "amd", "hip" and "rocm", "cpu" and "none" are one each. Borrowed. */
const char *mlr_variant_known_kind(const char *name, size_t len);   /* NULL: none of these */
const char *mlr_variant_kind(const char *name, size_t len);         /* `name` itself if it is none of these */
/* EINVAL for what no machine could ever be held against. */
int  mlr_variant_check(const mlreg_variant_options *o, mlreg_error **err);
int  mlr_variant_check_platform(const char *platform, mlreg_error **err);
int  mlr_variant_annotate(const mlreg_variant_options *o, mlr_descriptor *d, mlreg_error **err);

/* ---- choosing ---- */

/* What is wanted; a field NULL: anything, and the machine decides. */
typedef struct mlr_wish {
    bool any;                        /* something is wanted at all; else an index stays an index */
    const char *platform, *name, *accelerator, *precision;
    const mlr_host *host;
} mlr_wish;
#define MLR_WHY_BYTES 256
typedef struct mlr_candidate {
    mlr_variant variant;
    bool fits;
    char why[MLR_WHY_BYTES];         /* what is missing; "" if nothing */
    uint64_t rank[9];                /* compared from the left, more is better */
} mlr_candidate;
/* Whether it fits, with the reason, and how well. */
void mlr_variant_judge(const mlr_wish *w, mlr_candidate *c);
/* All entries, the best one first, those that do not fit behind. */
int  mlr_choose(const mlr_manifest *index, const mlr_wish *w, mlr_candidate **out, mlreg_error **err);
void mlr_candidates_free(mlr_candidate *all, size_t n);

/* Where manifests are read. `near`: a place on this machine that may have them already; NULL: none. */
typedef struct mlr_whereabouts { mlr_place *place; const char *repo; mlr_place *near; const char *near_repo; } mlr_whereabouts;
int  mlr_variant_manifest(const mlr_whereabouts *where, const mlr_digest *d, mlr_op *op, mlr_manifest **out, mlreg_error **err);
/* The entry of the index that fits best; one that is an index itself is looked into in turn. `path` (may be NULL) gets the digests that lead
 * to it. ENOTSUP where nothing fits, with what there is and what was missing; ENOTFOUND: what fits is named, but not there. */
int  mlr_variant_of_index(const mlr_whereabouts *where, const mlr_manifest *index, const mlr_wish *w, mlr_op *op, mlr_digestmap *path, mlr_manifest **chosen, mlreg_error **err);
/* The manifest that `r` names, or, where something is wanted, of an index the one that fits best. */
int  mlr_variant_resolve(mlr_place *p, const mlr_ref *r, const mlr_wish *w, mlr_op *op, mlr_manifest **out, mlreg_error **err);
/* The entries with what became of them as the annotation "….fit", best first: for people. */
int  mlr_variant_list(mlr_place *p, const mlr_ref *r, const mlr_wish *w, mlr_op *op, mlr_list **out, mlreg_error **err);
#endif
