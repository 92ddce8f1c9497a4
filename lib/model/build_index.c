/* model/build_index.c - an index in the making: entries are added, each with what it needs of a machine, and taken away. */
#include "model/build_index_parts.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "model/variant.h"

#define MAX_CHILDREN 1000        /* docker and others read them all */

int mlr_build_index_new(mlr_build *b, mlreg_error **err)
{
    return (b->index = mlr_alloc(sizeof *b->index)) == NULL ? mlr_error_nomem(err) : 0;
}

static void child_done(mlr_build_child *c)
{
    mlr_free(c->repo);
    mlr_descriptor_done(&c->entry);
    mlr_descriptor_done(&c->config);
}

void mlr_build_index_free(struct mlr_build_index *x)
{
    for (size_t i = 0; x != NULL && i < x->n; i++)
        child_done(&x->children[i]);
    if (x == NULL)
        return;
    mlr_free(x->children);
    mlr_free(x->base);
    mlr_free(x->base_absent);
    mlr_free(x);
}

size_t mlr_build_index_count(const struct mlr_build_index *x)
{
    return x->n;
}

static int check_kind(const mlr_build *b, mlreg_error **err)
{
    int rc = mlr_build_still_open(b, err);

    return rc == 0 && b->index == NULL ? mlr_error_set(err, MLREG_ESTATE, "only an index has entries: begin with MLREG_BUILD_INDEX") : rc;
}

/* ---- what is added and taken away ---- */

static int check_room(size_t n, mlreg_error **err)
{
    return n > MAX_CHILDREN ? mlr_error_set(err, MLREG_ELIMIT, "an index of over %d entries", MAX_CHILDREN) : 0;
}

/* Takes `c` over, on failure too. */
static int keep(struct mlr_build_index *x, mlr_build_child *c, mlreg_error **err)
{
    int rc = check_room(x->n + 1, err);

    if (rc == 0 && mlr_grow(&x->children, &x->cap, x->n, sizeof *x->children) < 0)
        rc = mlr_error_nomem(err);
    if (rc < 0)
        child_done(c);
    else
        x->children[x->n++] = *c;
    return rc;
}

static int start(mlr_build_child *c, mlr_place *from, const char *repo, mlreg_error **err)
{
    c->from = from;
    return (c->repo = mlr_strdup(repo)) == NULL ? mlr_error_nomem(err) : 0;
}

static int keep_entry(mlr_build *b, mlr_place *from, const char *repo, const mlr_descriptor *d, mlreg_error **err)
{
    mlr_build_child c = { .is_kept = true };
    int rc;

    if ((rc = start(&c, from, repo, err)) < 0 || (rc = mlr_descriptor_copy(d, &c.entry, err)) < 0) {
        child_done(&c);
        return rc;
    }
    return keep(b->index, &c, err);
}

static int keep_base(mlr_build *b, const mlr_manifest *m, mlreg_error **err)
{
    struct mlr_build_index *x = b->index;
    int rc = 0;

    if ((x->base = mlr_strndup(m->json, m->json_bytes)) == NULL || (m->absent != NULL && (x->base_absent = mlr_strdup(m->absent)) == NULL))
        return mlr_error_nomem(err);
    x->base_bytes = m->json_bytes;
    x->base_digest = m->self.digest;
    for (size_t i = 0; i < m->self.n_annotations && rc == 0; i++)
        if (mlr_descriptor_annotation(&b->notes, m->self.annotations[i].key) == NULL)
            rc = mlr_descriptor_annotate(&b->notes, m->self.annotations[i].key, m->self.annotations[i].value, err);
    return rc;
}

int mlr_build_add_children_of(mlr_build *b, mlr_place *from, const char *repo, const mlr_manifest *m, mlreg_error **err)
{
    int rc = check_kind(b, err);

    if (rc < 0)
        return rc;
    if (!m->is_index)
        return mlr_error_set(err, MLREG_EINVAL, "%s is no index", m->self.digest.text);
    if (b->index->base != NULL || b->index->n > 0)
        return mlr_error_set(err, MLREG_ESTATE, "an index begins with another one before anything is added to it, and with one only");
    if ((rc = check_room(m->n_children, err)) == 0)
        rc = keep_base(b, m, err);
    for (size_t i = 0; i < m->n_children && rc == 0; i++)
        rc = keep_entry(b, from, repo, &m->children[i], err);
    return rc;
}

static bool is_image_config(const mlr_descriptor *config)
{
    return config != NULL && mlr_image_config_type(config->media_type);
}

static int make_entry(const mlr_manifest *m, const mlreg_variant_options *o, mlr_build_child *c, mlreg_error **err)
{
    int rc;

    if ((rc = mlr_descriptor_make(m->self.media_type, &m->self.digest, m->self.bytes, &c->entry, err)) < 0)
        return rc;
    if (!m->is_index && m->self.artifact_type != NULL && !is_image_config(m->config) && (c->entry.artifact_type = mlr_strdup(m->self.artifact_type)) == NULL)
        return mlr_error_nomem(err);
    if (o->platform != NULL && (c->entry.platform = mlr_strdup(o->platform)) == NULL)
        return mlr_error_nomem(err);
    if (is_image_config(m->config) && (rc = mlr_descriptor_copy(m->config, &c->config, err)) < 0)
        return rc;
    return mlr_variant_annotate(o, &c->entry, err);
}

int mlr_build_refuse_itself(const mlr_digest *d, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_EINVAL, "an index cannot be an entry of itself: %s", d->text);

    return mlr_error_hint(err, rc, "add the artifacts that it lists, or keep it under another tag");
}

int mlr_build_add_child(mlr_build *b, mlr_place *from, const char *repo, const mlr_manifest *m, const mlreg_variant_options *o, mlreg_error **err)
{
    mlr_build_child c = { 0 };
    int rc;

    if ((rc = check_kind(b, err)) < 0 || (rc = mlr_variant_check(o, err)) < 0)
        return rc;
    if (mlr_digest_equal(&m->self.digest, &b->index->base_digest))
        return mlr_build_refuse_itself(&m->self.digest, err);
    if ((rc = start(&c, from, repo, err)) < 0 || (rc = make_entry(m, o, &c, err)) < 0) {
        child_done(&c);
        return rc;
    }
    return keep(b->index, &c, err);
}

static int no_such(const struct mlr_build_index *x, const char *name, mlreg_error **err)
{
    mlr_buf names = MLR_BUF_INIT(2048);
    int rc = mlr_error_set(err, MLREG_ENOTFOUND, "the index has no variant \"%.100s\"", name);

    for (size_t i = 0; i < x->n; i++) {
        const char *own = mlr_descriptor_annotation(&x->children[i].entry, MLR_VARIANT_PREFIX "name");

        mlr_buf_printf(&names, NULL, "%s%s", i > 0 ? ", " : "", own != NULL ? own : x->children[i].entry.digest.text);
    }
    mlr_error_hint(err, rc, "it has: %s", names.data != NULL ? names.data : "nothing");
    mlr_buf_done(&names);
    return rc;
}

static bool is_called(const mlr_build_child *c, const char *name)
{
    const char *own = mlr_descriptor_annotation(&c->entry, MLR_VARIANT_PREFIX "name");

    return (own != NULL && strcmp(own, name) == 0) || strcmp(c->entry.digest.text, name) == 0;
}

int mlr_build_remove_child(mlr_build *b, const char *name, mlreg_error **err)
{
    struct mlr_build_index *x = b->index;
    size_t n = 0;
    int rc = check_kind(b, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < x->n; i++)
        if (is_called(&x->children[i], name))
            child_done(&x->children[i]);
        else
            x->children[n++] = x->children[i];
    if (n == x->n)
        return no_such(x, name, err);
    x->n = n;
    return 0;
}
