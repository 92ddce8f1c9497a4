/* model/build_index_prepare.c - at commit: what each entry of an index says of itself, and that no two of them say the same. */
#include "model/build_index_parts.h"

#include <string.h>
#include "base/error.h"
#include "model/variant.h"

static int read_platform(const mlr_json *config, mlr_build_child *c, mlreg_error **err)
{
    const char *os = mlr_json_string(mlr_json_get(config, "os")), *arch = mlr_json_string(mlr_json_get(config, "architecture"));
    const char *variant = mlr_json_string(mlr_json_get(config, "variant"));

    if (os == NULL || arch == NULL || os[0] == '\0' || arch[0] == '\0')
        return 0;
    return mlr_descriptor_set_platform(&c->entry, os, arch, variant, err);
}

/* An image says in its config what it runs on. */
static int ask_platform(mlr_build_child *c, mlr_op *op, mlreg_error **err)
{
    mlr_blob b = { c->repo, c->config.digest, c->config.bytes, c->config.media_type };
    mlr_buf bytes = MLR_BUF_INIT(MLR_BUILD_CONFIG_MAX_BYTES);
    mlr_json *root = NULL;
    int rc;

    if (c->config.media_type == NULL || c->entry.platform != NULL)
        return 0;
    if ((rc = mlr_place_blob_bytes(c->from, &b, MLR_BUILD_CONFIG_MAX_BYTES, op, &bytes, err)) == 0 &&
        (rc = mlr_json_parse(bytes.data, bytes.len, "config", &root, err)) == 0)
        rc = read_platform(root, c, err);
    mlr_json_free(root);
    mlr_buf_done(&bytes);
    return rc;
}

static int look_if_plain(mlr_build_child *c, mlreg_error **err)
{
    mlr_variant v = { 0 };
    int rc = mlr_variant_read(&c->entry, &v, err);

    if (rc == 0)
        c->is_plain = mlr_variant_is_plain(&v);
    mlr_variant_done(&v);
    return rc;
}

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL ? strcmp(a, b) == 0 : a == b;
}

static int check_double(const struct mlr_build_index *x, size_t i, mlreg_error **err)
{
    const char *name = mlr_descriptor_annotation(&x->children[i].entry, MLR_VARIANT_PREFIX "name"), *platform = x->children[i].entry.platform;
    int rc;

    for (size_t j = 0; j < i && name != NULL; j++) {
        const mlr_descriptor *other = &x->children[j].entry;

        if (!same(name, mlr_descriptor_annotation(other, MLR_VARIANT_PREFIX "name")) || !same(platform, other->platform))
            continue;
        rc = mlr_error_set(err, MLREG_EINVAL, "two variants are called \"%s\"%s%s", name, platform != NULL ? " and are for " : "", platform != NULL ? platform : "");
        return mlr_error_hint(err, rc, "give one another name, or remove the one that is there first");
    }
    return 0;
}

int mlr_build_index_prepare(mlr_build *b, mlr_op *op, mlreg_error **err)
{
    struct mlr_build_index *x = b->index;
    int rc = 0;

    for (size_t i = 0; i < x->n && rc == 0; i++)
        if ((rc = ask_platform(&x->children[i], op, err)) == 0 && (rc = look_if_plain(&x->children[i], err)) == 0)
            rc = check_double(x, i, err);
    return rc;
}
