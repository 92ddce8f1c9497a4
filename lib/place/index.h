/* place/index.h - the list of manifests of one repository, as index.json has it: tags, the rule about moving them, what others wrote. */
#ifndef MLR_PLACE_INDEX_H
#define MLR_PLACE_INDEX_H
#include "place/manifest.h"
#include "place/place.h"

/* Entries in their order. One that cannot be read (a digest that is not sha256, a member that is missing) keeps its bytes in `raw`,
 * and has digest "" and no media type: it is carried, never used. */
typedef struct mlr_index {
    mlr_descriptor *entries; size_t n, cap;
    mlr_json *root;                        /* the document it was read from, for the members beside "manifests"; NULL: a new one */
} mlr_index;

int  mlr_index_new(mlr_index **out, mlreg_error **err);
int  mlr_index_parse(const char *text, size_t len, mlr_index **out, mlreg_error **err);   /* EPROTO */
int  mlr_index_print(const mlr_index *x, mlr_buf *out, mlreg_error **err);                /* unchanged members byte for byte */
void mlr_index_free(mlr_index *x);         /* NULL is fine */

/* On the entry of an index that is here in part: what it lacks by design, as mlr_manifest has it. */
#define MLR_INDEX_ABSENT "io.github.libmlreg.absent"
bool mlr_index_lacks(const mlr_index *x, const mlr_digest *d);            /* some entry says so */

const mlr_descriptor *mlr_index_by_tag(const mlr_index *x, const char *tag);               /* the first one, as other tools take it; or NULL */
const mlr_descriptor *mlr_index_by_digest(const mlr_index *x, const mlr_digest *d);
int  mlr_index_tags(const mlr_index *x, mlr_list *out, mlreg_error **err);

/* Puts `m` under `tag`; NULL: by its digest alone, which makes an entry of its own that no tag takes away. A tag that moves leaves nothing behind.
 * Children of an index need no entry: one that they have without a tag goes. What
 * it lacks is noted. EEXISTS, ENOTFOUND by the rule. 1: changed, 0: it was so already. */
int  mlr_index_put(mlr_index *x, const char *tag, const mlr_tag_rule *rule, const mlr_manifest *m, mlreg_error **err);
/* Takes out a tag (with a digest: if it is there), or a digest with every tag on it. How many entries went; 0: none was there. */
size_t mlr_index_remove(mlr_index *x, const char *tag, const mlr_digest *d);
#endif
