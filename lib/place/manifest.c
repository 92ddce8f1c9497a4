/* place/manifest.c - manifests and indexes: one reading only, or none. */
#include "place/manifest.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define DOCKER_V1 "application/vnd.docker.distribution.manifest.v1"

bool mlr_manifest_type_is_index(const char *media_type)
{
    return media_type != NULL &&
           (strcmp(media_type, MLR_TYPE_INDEX) == 0 || strcmp(media_type, MLR_TYPE_DOCKER_LIST) == 0);
}

bool mlr_manifest_type_known(const char *media_type)
{
    return mlr_manifest_type_is_index(media_type) ||
           (media_type != NULL &&
            (strcmp(media_type, MLR_TYPE_MANIFEST) == 0 || strcmp(media_type, MLR_TYPE_DOCKER_MANIFEST) == 0));
}

static int refuse_v1(mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_ENOTSUP,
                           "the manifest is of Docker's schema 1, which names no content by size and "
                                               "cannot be verified");
    return mlr_error_hint(err, rc, "pull it with a tool of its time and push it again as schema 2 or OCI");
}

static bool has(const mlr_json *root, const char *key)
{
    return mlr_json_get(root, key) != NULL;
}

/* Which of the four types it is: as the body says, else as it came, else by its shape. What came is believed only when
 * it is a manifest's type: servers also send "application/json" or "text/plain". */
static int settle_type(const mlr_json *root, const char *came, const char **out, mlreg_error **err)
{
    const char *body = mlr_json_string(mlr_json_get(root, "mediaType"));
    const char *type;
    uint64_t    version;

    if ((body != NULL && strncmp(body, DOCKER_V1, strlen(DOCKER_V1)) == 0) ||
        (came != NULL && strncmp(came, DOCKER_V1, strlen(DOCKER_V1)) == 0) || has(root, "fsLayers") ||
        (mlr_json_u64(mlr_json_get(root, "schemaVersion"), &version) && version == 1))
        return refuse_v1(err);
    if (has(root, "mediaType") && body == NULL)
        return mlr_error_set(err, MLREG_EPROTO, "the manifest's mediaType is no string");
    if (body != NULL && !mlr_manifest_type_known(body))
        return mlr_error_set(err, MLREG_EPROTO, "'%.200s' is no manifest's media type", body);
    if (body != NULL && mlr_manifest_type_known(came) && strcmp(body, came) != 0)
        return mlr_error_set(err, MLREG_EPROTO, "the manifest came as %s and calls itself %s", came, body);
    if (!mlr_json_u64(mlr_json_get(root, "schemaVersion"), &version) || version != 2)
        return mlr_error_set(err, MLREG_EPROTO, "the manifest's schemaVersion is not 2");
    type = has(root, "manifests") ? MLR_TYPE_INDEX : MLR_TYPE_MANIFEST;
    if (body != NULL || mlr_manifest_type_known(came))
        type = body != NULL ? body : came;
    if (mlr_manifest_type_is_index(type) ? has(root, "layers") || has(root, "config") : has(root, "manifests"))
        return mlr_error_set(err, MLREG_EPROTO, "the manifest is an index and an image in one: readers would disagree");
    *out = type;
    return 0;
}

static int read_one(const mlr_json *root, const char *key, mlr_descriptor **out, mlreg_error **err)
{
    const mlr_json *v = mlr_json_get(root, key);
    int             rc;

    if (v == NULL || mlr_json_type_of(v) == MLR_JSON_NULL)
        return 0;
    if ((*out = mlr_alloc(sizeof(**out))) == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_descriptor_read(v, key, *out, err)) < 0) {
        mlr_free(*out);
        *out = NULL;
    }
    return rc;
}

/* A list needs no limit of its own: at 109 bytes for the shortest descriptor, 4 MiB hold less than 40,000. */
static int read_many(const mlr_json *root, const char *key, mlr_descriptor **out, size_t *n, mlreg_error **err)
{
    const mlr_json *all = mlr_json_get(root, key);
    int             rc = 0;

    if (mlr_json_type_of(all) == MLR_JSON_NULL) /* how Go writes an empty list */
        return 0;
    if (mlr_json_type_of(all) != MLR_JSON_ARRAY)
        return mlr_error_set(err, MLREG_EPROTO, "the manifest has no list '%s'", key);
    if ((*out = mlr_alloc_array(mlr_json_count(all), sizeof(**out))) == NULL)
        return mlr_error_nomem(err);
    for (const mlr_json *v = mlr_json_first(all); v != NULL; v = mlr_json_next(v)) {
        char what[64];
        snprintf(what, sizeof(what), "%s[%zu]", key, *n);
        if ((rc = mlr_descriptor_read(v, what, &(*out)[*n], err)) < 0)
            return rc;
        (*n)++;
    }
    return 0;
}

static int read_self(const mlr_json *root, const char *type, mlr_manifest *m, mlreg_error **err)
{
    const mlr_json *artifact_type = mlr_json_get(root, "artifactType");
    const char     *purpose = mlr_json_string(artifact_type);
    mlr_digest      digest;
    int             rc;

    mlr_digest_of(m->json, m->json_bytes, &digest);
    if ((rc = mlr_descriptor_make(type, &digest, m->json_bytes, &m->self, err)) < 0)
        return rc;
    if (artifact_type != NULL && purpose == NULL)
        return mlr_error_set(err, MLREG_EPROTO, "the manifest's artifactType is no string");
    if ((purpose == NULL || purpose[0] == 0) && m->config != NULL)
        purpose = m->config->media_type;
    if (purpose != NULL && purpose[0] != 0 && (m->self.artifact_type = mlr_strdup(purpose)) == NULL)
        return mlr_error_nomem(err);
    return mlr_descriptor_read_annotations(root, "manifest", &m->self, err);
}

static int read_parts(const mlr_json *root, const char *media_type, mlr_manifest *m, mlreg_error **err)
{
    const char *type = NULL;
    int         rc;

    if (mlr_json_type_of(root) != MLR_JSON_OBJECT)
        return mlr_error_set(err, MLREG_EPROTO, "the manifest is no JSON object");
    if ((rc = settle_type(root, media_type, &type, err)) < 0)
        return rc;
    m->is_index = mlr_manifest_type_is_index(type);
    if (m->is_index)
        rc = read_many(root, "manifests", &m->children, &m->n_children, err);
    else if ((rc = read_one(root, "config", &m->config, err)) == 0)
        rc = read_many(root, "layers", &m->layers, &m->n_layers, err);
    if (rc == 0 && (rc = read_one(root, "subject", &m->subject, err)) == 0)
        rc = read_self(root, type, m, err);
    return rc;
}

int mlr_manifest_parse(const void *json, size_t len, const char *media_type, mlr_manifest **out, mlreg_error **err)
{
    mlr_manifest *m = NULL;
    mlr_json     *root = NULL;
    int           rc;

    if (len > MLR_MANIFEST_MAX_BYTES)
        return mlr_error_set(err, MLREG_ELIMIT, "the manifest has %zu bytes, %u are allowed", len,
                             MLR_MANIFEST_MAX_BYTES);
    if ((m = mlr_alloc(sizeof(*m))) == NULL || (m->json = mlr_strndup(json, len)) == NULL) {
        rc = mlr_error_nomem(err);
        goto out;
    }
    m->json_bytes = len;
    if ((rc = mlr_json_parse(m->json, len, "manifest", &root, err)) < 0 ||
        (rc = read_parts(root, media_type, m, err)) < 0)
        goto out;
    *out = m;
    m = NULL;
out:
    mlr_json_free(root);
    mlr_manifest_free(m);
    return rc;
}

bool mlr_manifest_lacks(const mlr_manifest *m, const mlr_digest *d)
{
    return m->absent != NULL && strstr(m->absent, d->text) != NULL;
}

int mlr_manifest_set_absent(mlr_manifest *m, const char *absent, mlreg_error **err)
{
    char *copy = NULL;

    if (absent != NULL && absent[0] != 0 && (copy = mlr_strdup(absent)) == NULL)
        return mlr_error_nomem(err);
    mlr_free(m->absent);
    m->absent = copy;
    return 0;
}

static void free_one(mlr_descriptor *d)
{
    if (d != NULL)
        mlr_descriptor_done(d);
    mlr_free(d);
}

static void free_many(mlr_descriptor *d, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mlr_descriptor_done(&d[i]);
    mlr_free(d);
}

void mlr_manifest_free(mlr_manifest *m)
{
    if (m == NULL)
        return;
    mlr_descriptor_done(&m->self);
    free_one(m->config);
    free_one(m->subject);
    free_many(m->layers, m->n_layers);
    free_many(m->children, m->n_children);
    mlr_free(m->absent);
    mlr_free(m->json);
    mlr_free(m);
}
