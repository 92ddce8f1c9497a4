/* model/variant.c - what an entry of an index needs of a machine: read from its annotations, and written as such. */
#include "model/variant.h"

#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"

#define NAME_MAX_BYTES  64
#define VALUE_MAX_BYTES 1024

static const char *note(const mlr_descriptor *d, const char *key)
{
    for (size_t i = 0; i < d->n_annotations; i++) {
        const char *own = d->annotations[i].key;

        if (strncmp(own, MLR_VARIANT_PREFIX, strlen(MLR_VARIANT_PREFIX)) == 0 && strcmp(own + strlen(MLR_VARIANT_PREFIX), key) == 0)
            return d->annotations[i].value;
    }
    return NULL;
}

int mlr_variant_read(const mlr_descriptor *entry, mlr_variant *out, mlreg_error **err)
{
    const char *memory = note(entry, "memory");
    mlr_variant v = {
        .entry = entry, .name = note(entry, "name"), .accelerator = note(entry, "accelerator"), .compute = note(entry, "compute"),
        .driver = note(entry, "driver"), .runtime = note(entry, "runtime"), .cpu = note(entry, "cpu"), .precision = note(entry, "precision"),
        .format = note(entry, "format"), .memory_bytes = memory != NULL ? strtoull(memory, NULL, 10) : 0,
    };
    int rc = v.name == NULL ? mlr_variant_read_kitops(entry, &v, err) : 0;

    if (rc < 0)
        mlr_variant_done(&v);
    else
        *out = v;
    return rc;
}

void mlr_variant_done(mlr_variant *v)
{
    for (size_t i = 0; i < sizeof v->owned / sizeof *v->owned; i++)
        mlr_free(v->owned[i]);
    *v = (mlr_variant){ 0 };
}

bool mlr_variant_is_plain(const mlr_variant *v)
{
    bool needs_none = v->accelerator == NULL || strcmp(mlr_variant_kind(v->accelerator, strlen(v->accelerator)), "none") == 0;

    return needs_none && v->cpu == NULL && v->compute == NULL;
}

const char *mlr_variant_known_kind(const char *name, size_t len)
{
    static const struct { char said[7], kind[5]; } known[] = { { "cuda", "cuda" }, { "nvidia", "cuda" }, { "rocm", "rocm" }, { "amd", "rocm" },
        { "hip", "rocm" }, { "none", "none" }, { "cpu", "none" } };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].said) == len && strncmp(known[i].said, name, len) == 0)
            return known[i].kind;
    return NULL;
}

const char *mlr_variant_kind(const char *name, size_t len)
{
    const char *known = mlr_variant_known_kind(name, len);

    return known != NULL ? known : name;
}

/* ---- writing ---- */

/* A name begins with what it is for: "cuda", "cuda-12.4", "rocm-mi300". NULL: it does not say. */
static const char *kind_by_name(const char *name)
{
    return mlr_variant_known_kind(name, strcspn(name, "-._0123456789"));
}

static bool is_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-._");

    return n > 0 && n <= NAME_MAX_BYTES && name[n] == '\0' && strchr("-._", name[0]) == NULL;
}

int mlr_variant_check_platform(const char *platform, mlreg_error **err)
{
    size_t os = strcspn(platform, "/"), n_slashes = 0;
    int rc;

    for (const char *at = platform; *at != '\0'; at++)
        n_slashes += *at == '/';
    if (os > 0 && n_slashes >= 1 && n_slashes <= 2 && platform[os + 1] != '\0' && platform[os + 1] != '/' && platform[strlen(platform) - 1] != '/')
        return 0;
    rc = mlr_error_set(err, MLREG_EINVAL, "\"%.100s\" is no platform", platform);
    return mlr_error_hint(err, rc, "write os/architecture or os/architecture/variant: linux/amd64, linux/arm64/v8");
}

static int check_texts(const mlreg_variant_options *o, mlreg_error **err)
{
    const char *const all[] = { o->accelerator, o->compute, o->driver, o->runtime, o->cpu, o->precision, o->format };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i] == NULL)
            continue;
        if (all[i][0] == '\0' || strlen(all[i]) > VALUE_MAX_BYTES)
            return mlr_error_set(err, MLREG_EINVAL, "variant %s: a requirement is empty or over %d bytes", o->name, VALUE_MAX_BYTES);
        for (const char *at = all[i]; *at != '\0'; at++)
            if (*at < 0x20 || *at > 0x7e)
                return mlr_error_set(err, MLREG_EINVAL, "variant %s: a requirement is no printable ASCII", o->name);
    }
    return 0;
}

/* A version that is no number would fit nowhere, without a word. */
static int check_version(const char *name, const char *what, const char *version, mlreg_error **err)
{
    if (version == NULL || (version[0] >= '0' && version[0] <= '9' && version[strspn(version, "0123456789.")] == '\0'))
        return 0;
    return mlr_error_set(err, MLREG_EINVAL, "variant %s: \"%.50s\" is no %s version", name, version, what);
}

int mlr_variant_check(const mlreg_variant_options *o, mlreg_error **err)
{
    int rc;

    if (o->name == NULL || !is_name(o->name)) {
        rc = mlr_error_set(err, MLREG_EINVAL, o->name == NULL ? "a variant needs a name" : "\"%.100s\" is no variant's name", o->name);
        return mlr_error_hint(err, rc, "names are of lower-case letters, digits and \"-._\", 64 at most, and begin with a letter or digit: cpu, cuda-12.4");
    }
    if ((o->platform != NULL && (rc = mlr_variant_check_platform(o->platform, err)) < 0) || (rc = check_texts(o, err)) < 0 ||
        (rc = check_version(o->name, "driver", o->driver, err)) < 0)
        return rc;
    return check_version(o->name, "runtime", o->runtime, err);
}

static int put(mlr_descriptor *d, const char *key, const char *value, mlreg_error **err)
{
    char *whole;
    int rc;

    if (value == NULL)
        return 0;
    if ((whole = mlr_asprintf("%s%s", MLR_VARIANT_PREFIX, key)) == NULL)
        return mlr_error_nomem(err);
    rc = mlr_descriptor_annotate(d, whole, value, err);
    mlr_free(whole);
    return rc;
}

static int put_memory(mlr_descriptor *d, uint64_t bytes, mlreg_error **err)
{
    char *text;
    int rc;

    if (bytes == 0)
        return 0;
    if ((text = mlr_asprintf("%llu", (unsigned long long)bytes)) == NULL)
        return mlr_error_nomem(err);
    rc = put(d, "memory", text, err);
    mlr_free(text);
    return rc;
}

int mlr_variant_annotate(const mlreg_variant_options *o, mlr_descriptor *d, mlreg_error **err)
{
    const char *accelerator = o->accelerator != NULL ? o->accelerator : kind_by_name(o->name);
    int rc;

    if (accelerator != NULL)
        accelerator = mlr_variant_kind(accelerator, strlen(accelerator));
    if ((rc = put(d, "name", o->name, err)) == 0 && (rc = put(d, "accelerator", accelerator, err)) == 0 && (rc = put(d, "compute", o->compute, err)) == 0 &&
        (rc = put(d, "driver", o->driver, err)) == 0 && (rc = put(d, "runtime", o->runtime, err)) == 0 && (rc = put(d, "cpu", o->cpu, err)) == 0 &&
        (rc = put(d, "precision", o->precision, err)) == 0 && (rc = put(d, "format", o->format, err)) == 0)
        rc = put_memory(d, o->memory_bytes, err);
    return rc;
}
