/* api/artifact.c - the artifact handle: a verified manifest and where it lives. */
#include "api/door.h"

#include "base/alloc.h"
#include "base/error.h"

#define CONFIG_MAX_BYTES (16u << 20)

int mlr_artifact_new(mlreg_session *s, const char *repo, mlr_manifest *m, mlreg_artifact **out, mlreg_error **err)
{
    mlreg_artifact *a = mlr_alloc(sizeof *a);

    if (a == NULL || (a->repo = mlr_strdup(repo)) == NULL) {
        mlr_free(a);
        return mlr_error_nomem(err);
    }
    a->session = mlr_session_ref(s);
    a->manifest = m;
    *out = a;
    return 0;
}

void mlreg_artifact_free(mlreg_artifact *a)
{
    if (a == NULL)
        return;
    mlr_manifest_free(a->manifest);
    mlreg_session_free(a->session);
    mlr_free(a->repo);
    mlr_free(a->config);
    mlr_free(a);
}

size_t mlreg_artifact_count(const mlreg_artifact *a, int32_t part)
{
    if (a == NULL)
        return 0;
    switch (part) {
    case MLREG_PART_SELF:
        return 1;
    case MLREG_PART_CONFIG:
        return a->manifest->config != NULL;
    case MLREG_PART_LAYER:
        return a->manifest->n_layers;
    case MLREG_PART_CHILD:
        return a->manifest->n_children;
    case MLREG_PART_SUBJECT:
        return a->manifest->subject != NULL;
    default:
        return 0;
    }
}

const mlreg_descriptor *mlreg_artifact_at(const mlreg_artifact *a, int32_t part, size_t i)
{
    if (i >= mlreg_artifact_count(a, part))
        return NULL;
    switch (part) {
    case MLREG_PART_SELF:
        return &a->manifest->self;
    case MLREG_PART_CONFIG:
        return a->manifest->config;
    case MLREG_PART_LAYER:
        return &a->manifest->layers[i];
    case MLREG_PART_CHILD:
        return &a->manifest->children[i];
    default:
        return a->manifest->subject;
    }
}

const char *mlreg_artifact_json(const mlreg_artifact *a, size_t *len)
{
    if (a != NULL && len != NULL)
        *len = a->manifest->json_bytes;
    return a != NULL ? a->manifest->json : NULL;
}

const char *mlreg_artifact_repository(const mlreg_artifact *a)
{
    return a != NULL ? a->repo : NULL;
}

/* Two threads may both fetch; the first to finish is kept. */
static int fetch_config(mlreg_artifact *a, mlreg_op *remote, mlreg_error **err)
{
    const mlr_descriptor *d = a->manifest->config;
    mlr_blob b = { a->repo, d->digest, d->bytes, d->media_type };
    mlr_buf bytes = MLR_BUF_INIT(CONFIG_MAX_BYTES);
    mlr_op *op = NULL;
    char *mine, *none = NULL;
    int rc = mlr_door_begin(remote, &op, err);

    if (rc < 0)
        return rc;
    rc = mlr_place_blob_bytes(a->session->place, &b, CONFIG_MAX_BYTES, op, &bytes, err);
    mlr_op_end(op);
    if (rc == 0 && (mine = mlr_buf_take(&bytes)) == NULL)
        rc = mlr_error_nomem(err);
    else if (rc == 0 && !__atomic_compare_exchange_n(&a->config, &none, mine, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        mlr_free(mine);
    mlr_buf_done(&bytes);
    return rc;
}

int mlreg_artifact_config(mlreg_artifact *a, mlreg_op *op, const char **bytes, size_t *len, mlreg_error **err)
{
    int rc;

    if ((rc = mlr_door_needs(a, "the artifact", err)) < 0 || (rc = mlr_door_needs(bytes, "bytes", err)) < 0 || (rc = mlr_door_session(a->session, err)) < 0)
        return rc;
    if (a->manifest->config == NULL)
        return mlr_error_set(err, MLREG_ENOTFOUND, "%s has no config", a->manifest->self.digest.text);
    if (__atomic_load_n(&a->config, __ATOMIC_ACQUIRE) == NULL && (rc = fetch_config(a, op, err)) < 0)
        return rc;
    *bytes = __atomic_load_n(&a->config, __ATOMIC_ACQUIRE);
    if (len != NULL)
        *len = (size_t)a->manifest->config->bytes;
    return 0;
}
