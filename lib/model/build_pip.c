/* model/build_pip.c - a builder's layer of Python packages: remembered, or installed at commit. */
#include "model/build_parts.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"

#define SEARCH_PATH "PYTHONPATH"

static int search_there(mlr_build *b, const char *target, mlreg_error **err)
{
    char *text = mlr_asprintf(SEARCH_PATH "=%s", target);
    const char *env[] = { text };
    const mlreg_image_options o = { .env = env, .n_env = 1 };
    int rc = 0;

    if (text == NULL)
        return mlr_error_nomem(err);
    if (!mlr_image_has_env(b->image, SEARCH_PATH))
        rc = mlr_image_set(b->image, &o, err);
    mlr_free(text);
    return rc;
}

static int begin(mlr_build *b, const mlreg_pip_options *o, const char *requirements, struct mlr_build_layer *l, mlreg_error **err)
{
    const mlreg_layer_options packed = { .flags = o->flags };
    int rc;

    if ((rc = mlr_build_begin_layer(b, &packed, l, err)) < 0 ||
        (rc = mlr_pip_new(o, requirements, mlr_image_foreign_platform(b->image), &l->pip, err)) < 0 ||
        (rc = search_there(b, l->pip->target, err)) < 0)
        return rc;
    l->is_tree = true;
    l->title = mlr_build_path_inside(l->pip->target);
    l->made_by = mlr_asprintf("mlreg pip %s", l->pip->target);
    return l->title == NULL || l->made_by == NULL ? mlr_error_nomem(err) : 0;
}

int mlr_build_add_pip(mlr_build *b, const mlreg_pip_options *o, const char *requirements, mlreg_error **err)
{
    struct mlr_build_layer l = { 0 };
    int rc = mlr_build_check_image(b, err);

    if (rc < 0)
        return rc;
    if ((rc = begin(b, o, requirements, &l, err)) == 0)
        return mlr_build_add(b, l, err);
    mlr_build_layer_done(&l);
    return rc;
}

/* It must be taken with the time of its files, which is in the tar. */
static int find_key(struct mlr_build_layer *l, mlr_op *op, mlreg_error **err)
{
    char text[MLR_DIGEST_TEXT + 32];
    int rc = l->adapts ? 0 : mlr_pip_key(l->pip, op, &l->key, err);

    if (rc <= 0) {
        l->key.text[0] = '\0';
        return rc;
    }
    snprintf(text, sizeof text, "%s %lld", l->key.text, (long long)l->of->epoch_s);
    mlr_digest_of(text, strlen(text), &l->key);
    return 1;
}

int mlr_build_write_pip(struct mlr_build_layer *l, mlr_op *op, mlreg_error **err)
{
    int rc = find_key(l, op, err);

    if (rc == 1)
        rc = mlr_build_tar_is_there(l, op, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    if ((rc = mlr_pip_install(l->pip, op, err)) < 0 || (rc = mlr_tarlayer_new(l->of->epoch_s, &l->tar, err)) < 0 ||
        (rc = mlr_tarlayer_add_tree(l->tar, l->title, l->pip->dir, op, err)) < 0 || (rc = mlr_tarlayer_plan(l->tar, err)) < 0 ||
        (rc = mlr_build_settle(l, err)) < 0)
        return rc;
    return mlr_build_write_tar(l, op, err);
}
