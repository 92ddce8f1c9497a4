/* model/host_json.c - a machine's description as JSON: written for people and schedulers, read from them. */
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "codec/json.h"
#include "model/host.h"

/* ---- writing ---- */

static void put_words(mlr_json_out *o, const char *key, const char *words)
{
    mlr_json_open(o, key, '[');
    for (const char *at = words; *at != '\0'; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        char *word = mlr_strndup(at, n);

        if (word == NULL)
            o->rc = o->rc < 0 ? o->rc : mlr_error_nomem(o->err);
        mlr_json_put_string(o, NULL, word);
        mlr_free(word);
        at += n;
    }
    mlr_json_close(o, ']');
}

static void put_accelerator(mlr_json_out *o, const mlr_accelerator *a)
{
    mlr_json_open(o, NULL, '{');
    mlr_json_put_string(o, "kind", a->kind);
    mlr_json_put_string(o, "name", a->name);
    mlr_json_put_string(o, "compute", a->compute);
    if (a->memory_bytes > 0)
        mlr_json_put_u64(o, "memory_bytes", a->memory_bytes);
    mlr_json_put_string(o, "driver", a->driver);
    mlr_json_put_string(o, "runtime", a->runtime);
    mlr_json_close(o, '}');
}

int mlr_host_write(const mlr_host *h, mlr_buf *out, mlreg_error **err)
{
    mlr_json_out o;

    mlr_json_begin(&o, out, err);
    mlr_json_open(&o, NULL, '{');
    mlr_json_put_string(&o, "os", h->os);
    mlr_json_put_string(&o, "architecture", h->arch);
    mlr_json_put_string(&o, "variant", h->arch_variant);
    put_words(&o, "cpu_features", h->cpu);
    if (h->memory_bytes > 0)
        mlr_json_put_u64(&o, "memory_bytes", h->memory_bytes);
    mlr_json_open(&o, "accelerators", '[');
    for (size_t i = 0; i < h->n; i++)
        put_accelerator(&o, &h->accelerators[i]);
    mlr_json_close(&o, ']');
    mlr_json_open(&o, "notes", '[');
    for (size_t i = 0; i < h->n_notes; i++)
        mlr_json_put_string(&o, NULL, h->notes[i]);
    mlr_json_close(&o, ']');
    mlr_json_close(&o, '}');
    return mlr_json_end(&o);
}

/* ---- reading ---- */

static int wrong(const char *key, const char *want, mlreg_error **err)
{
    return mlr_error_set(err, MLREG_EINVAL, "the host's description: \"%s\" is no %s", key, want);
}

static bool is_there(const mlr_json *v)
{
    return mlr_json_type_of(v) != MLR_JSON_MISSING && mlr_json_type_of(v) != MLR_JSON_NULL;
}

static int read_text(const mlr_json *object, const char *key, char **out, mlreg_error **err)
{
    const mlr_json *v = mlr_json_get(object, key);

    if (!is_there(v))
        return 0;
    if (mlr_json_string(v) == NULL)
        return wrong(key, "string", err);
    return (*out = mlr_strdup(mlr_json_string(v))) == NULL ? mlr_error_nomem(err) : 0;
}

static int read_bytes(const mlr_json *object, const char *key, uint64_t *out, mlreg_error **err)
{
    const mlr_json *v = mlr_json_get(object, key);

    return !is_there(v) || mlr_json_u64(v, out) ? 0 : wrong(key, "whole number of bytes", err);
}

/* An array of strings as words with blanks between. */
static int read_words(const mlr_json *object, const char *key, char **out, mlreg_error **err)
{
    const mlr_json *all = mlr_json_get(object, key);
    mlr_buf words = MLR_BUF_INIT(MLR_HOST_JSON_MAX_BYTES);
    int rc = is_there(all) && mlr_json_type_of(all) != MLR_JSON_ARRAY ? wrong(key, "array of strings", err) : mlr_buf_puts(&words, "", err);

    for (const mlr_json *v = mlr_json_first(all); v != NULL && rc == 0; v = mlr_json_next(v))
        rc = mlr_json_string(v) != NULL ? mlr_buf_printf(&words, err, "%s%s", words.len > 0 ? " " : "", mlr_json_string(v)) : wrong(key, "array of strings", err);
    if (rc == 0 && (*out = mlr_buf_take(&words)) == NULL)
        rc = mlr_error_nomem(err);
    mlr_buf_done(&words);
    return rc;
}

static int read_accelerator(const mlr_json *v, mlr_host *h, mlreg_error **err)
{
    mlr_accelerator a = { 0 };
    int rc;

    if (mlr_json_string(mlr_json_get(v, "kind")) == NULL)
        return wrong("accelerators", "array of objects, each with its \"kind\"", err);
    /* The host has it from the start, and gives it up with all it has by then. */
    if ((a.kind = mlr_strdup(mlr_json_string(mlr_json_get(v, "kind")))) == NULL || (rc = mlr_host_add(h, &a, err)) < 0)
        return mlr_error_nomem(err);
    mlr_accelerator *kept = &h->accelerators[h->n - 1];
    if ((rc = read_text(v, "name", &kept->name, err)) == 0 && (rc = read_text(v, "compute", &kept->compute, err)) == 0 &&
        (rc = read_text(v, "driver", &kept->driver, err)) == 0 && (rc = read_text(v, "runtime", &kept->runtime, err)) == 0)
        rc = read_bytes(v, "memory_bytes", &kept->memory_bytes, err);
    return rc;
}

static int read_accelerators(const mlr_json *root, mlr_host *h, mlreg_error **err)
{
    const mlr_json *all = mlr_json_get(root, "accelerators");
    int rc = is_there(all) && mlr_json_type_of(all) != MLR_JSON_ARRAY ? wrong("accelerators", "array", err) : 0;

    for (const mlr_json *v = mlr_json_first(all); v != NULL && rc == 0; v = mlr_json_next(v))
        rc = read_accelerator(v, h, err);
    return rc;
}

static int read_notes(const mlr_json *root, mlr_host *h, mlreg_error **err)
{
    int rc = 0;

    for (const mlr_json *v = mlr_json_first(mlr_json_get(root, "notes")); v != NULL && rc == 0; v = mlr_json_next(v))
        rc = mlr_json_string(v) != NULL ? mlr_host_note(h, err, "%s", mlr_json_string(v)) : wrong("notes", "array of strings", err);
    return rc;
}

static int read_host(const mlr_json *root, mlr_host *h, mlreg_error **err)
{
    int rc;

    if (mlr_json_type_of(root) != MLR_JSON_OBJECT)
        return mlr_error_set(err, MLREG_EINVAL, "the host's description is no JSON object");
    if ((rc = read_text(root, "os", &h->os, err)) < 0 || (rc = read_text(root, "architecture", &h->arch, err)) < 0 ||
        (rc = read_text(root, "variant", &h->arch_variant, err)) < 0 || (rc = read_words(root, "cpu_features", &h->cpu, err)) < 0 ||
        (rc = read_bytes(root, "memory_bytes", &h->memory_bytes, err)) < 0 || (rc = read_accelerators(root, h, err)) < 0 ||
        (rc = read_notes(root, h, err)) < 0)
        return rc;
    if (h->arch == NULL)
        return mlr_error_set(err, MLREG_EINVAL, "the host's description has no \"architecture\"");
    if (h->os == NULL && (h->os = mlr_strdup("linux")) == NULL)
        return mlr_error_nomem(err);
    return 0;
}

int mlr_host_read(const char *json, mlr_host *out, mlreg_error **err)
{
    mlreg_error *why = NULL;
    mlr_json *root = NULL;
    mlr_host h = { 0 };
    int rc = mlr_json_parse(json, strlen(json), "the host's description", &root, &why);

    if (rc < 0 && rc != MLREG_ENOMEM)
        rc = mlr_error_set(err, MLREG_EINVAL, "%s", why->message); /* it is the caller's own, no document of a place */
    else
        mlr_error_move(err, &why);
    mlr_error_done(why);
    if (rc == 0 && (rc = read_host(root, &h, err)) == 0)
        *out = h;
    else
        mlr_host_done(&h);
    mlr_json_free(root);
    return rc == MLREG_EINVAL ? mlr_error_hint(err, rc, "`mlreg host --json` on that machine prints one") : rc;
}
