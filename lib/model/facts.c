/* model/facts.c - what a model's own files say of it: architecture, format, precision, parameters, license. */
#include "model/facts.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"
#include "codec/gguf.h"
#include "codec/safetensors.h"
#include "model/frontmatter.h"
#include "model/kinds.h"

#define DOCUMENT_MAX_BYTES (1u << 20) /* config.json and README.md beyond this are not looked into */
#define HEAD_BYTES 512
#define VALUE_MAX_BYTES 256           /* a name or license beyond this is none */

/* The first one counts. What cannot be written into the config, or is no name, is passed over: it must not stop the build. */
static int keep(char **field, const char *value, mlreg_error **err)
{
    size_t len = value != NULL ? strlen(value) : 0;

    if (*field != NULL || len == 0 || len > VALUE_MAX_BYTES || !mlr_utf8_valid(value, len))
        return 0;
    *field = mlr_strdup(value);
    return *field == NULL ? mlr_error_nomem(err) : 0;
}

/* Hugging Face writes SPDX's names in lower case; ModelPack wants SPDX's own. */
static const char *spdx(const char *name)
{
    static const char names[][19] = { "Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "BSD-3-Clause-Clear", "CC0-1.0", "CC-BY-4.0",
        "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "GPL-2.0", "GPL-3.0", "LGPL-3.0", "AGPL-3.0", "MPL-2.0", "ISC",
        "Unlicense", "WTFPL", "Zlib", "BSL-1.0", "EUPL-1.1", "AFL-3.0", "Artistic-2.0", "ECL-2.0", "EPL-2.0", "OFL-1.1" };

    for (size_t i = 0; name != NULL && i < sizeof names / sizeof *names; i++)
        if (strcasecmp(names[i], name) == 0)
            return names[i];
    return name;
}

/* ---- tensor files ---- */

static void add_parameters(mlr_facts *f, const char *dtype, uint64_t n)
{
    size_t i = 0;

    while (i < f->n_dtypes && strncmp(f->dtypes[i].name, dtype, sizeof f->dtypes[i].name - 1) != 0)
        i++;
    if (i == MLR_FACTS_DTYPES)
        return;
    if (i == f->n_dtypes) {
        snprintf(f->dtypes[i].name, sizeof f->dtypes[i].name, "%s", dtype);
        f->n_dtypes++;
    }
    if (__builtin_add_overflow(f->dtypes[i].parameters, n, &f->dtypes[i].parameters))
        f->dtypes[i].parameters = UINT64_MAX;
}

static uint64_t elements(const mlr_tensor *t)
{
    uint64_t n = 1;

    for (unsigned i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(n, t->shape[i], &n))
            return UINT64_MAX;
    return n;
}

static int from_tensors(mlr_facts *f, const mlr_tensors *t, const char *format, mlreg_error **err)
{
    int rc;

    for (size_t i = 0; i < mlr_tensors_count(t); i++)
        add_parameters(f, mlr_tensors_at(t, i)->dtype, elements(mlr_tensors_at(t, i)));
    if ((rc = keep(&f->format, format, err)) < 0 ||
        (rc = keep(&f->architecture, mlr_tensors_metadata(t, "general.architecture"), err)) < 0 ||
        (rc = keep(&f->family, mlr_tensors_metadata(t, "general.architecture"), err)) < 0)
        return rc;
    return keep(&f->license, spdx(mlr_tensors_metadata(t, "general.license")), err);
}

/* ---- documents ---- */

static int read_document(mlr_reader *r, mlr_op *op, mlr_buf *out, mlreg_error **err)
{
    int64_t n;
    int rc = mlr_buf_reserve(out, (size_t)r->bytes, err);

    if (rc < 0)
        return rc;
    if ((n = mlr_reader_read_at(r, 0, out->data, (size_t)r->bytes, op, err)) < 0)
        return (int)n;
    out->len = (size_t)n;
    out->data[n] = '\0';
    return 0;
}

static int from_config(mlr_facts *f, const char *text, size_t len, mlreg_error **err)
{
    static const mlr_json_rules free_names = { .case_matters = true }; /* label2id and the like hold names as keys */
    mlr_json *j = NULL;
    const char *dtype;
    int rc;

    if ((rc = mlr_json_parse_as(&free_names, text, len, "config.json", &j, NULL)) < 0)
        return rc == MLREG_ENOMEM ? mlr_error_nomem(err) : 0;
    dtype = mlr_json_string(mlr_json_get(j, "torch_dtype"));
    if (dtype == NULL)
        dtype = mlr_json_string(mlr_json_get(j, "dtype"));
    if ((rc = keep(&f->architecture, mlr_json_string(mlr_json_at(mlr_json_get(j, "architectures"), 0)), err)) == 0 &&
        (rc = keep(&f->family, mlr_json_string(mlr_json_get(j, "model_type")), err)) == 0)
        rc = keep(&f->precision, dtype, err);
    mlr_json_free(j);
    return rc;
}

static int from_readme(mlr_facts *f, const char *text, mlreg_error **err)
{
    char license[64];

    return mlr_frontmatter_get(text, "license", license, sizeof license) ? keep(&f->license, spdx(license), err) : 0;
}

static int from_document(const char *name, mlr_reader *r, mlr_op *op, mlr_facts *f, mlreg_error **err)
{
    bool config = strcmp(name, "config.json") == 0, readme = strcasecmp(name, "README.md") == 0;
    mlr_buf b = MLR_BUF_INIT(DOCUMENT_MAX_BYTES);
    int rc;

    if ((!config && !readme) || r->bytes > DOCUMENT_MAX_BYTES)
        return 0;
    if ((rc = read_document(r, op, &b, err)) == 0)
        rc = config ? from_config(f, b.data, b.len, err) : from_readme(f, b.data, err);
    mlr_buf_done(&b);
    return rc;
}

int mlr_facts_read(const char *title, mlr_reader *r, mlr_op *op, mlr_facts *out, mlreg_error **err)
{
    uint8_t head[HEAD_BYTES];
    mlr_tensors *t = NULL;
    mlr_facts f = { 0 };
    int64_t n = mlr_reader_read_at(r, 0, head, sizeof head, op, err);
    const char *format = n < 0 ? NULL : mlr_kind_format(title, head, (size_t)n);
    int rc = n < 0 ? (int)n : 0;

    if (format != NULL && strcmp(format, "safetensors") == 0)
        rc = mlr_safetensors_read(r, op, &t, err);
    else if (format != NULL && strcmp(format, "gguf") == 0)
        rc = mlr_gguf_read(r, op, &t, err);
    if (rc == 0 && t != NULL)
        rc = from_tensors(&f, t, format, err);
    else if (rc == 0 && format != NULL)
        rc = keep(&f.format, format, err);
    else if (rc == 0)
        rc = from_document(title, r, op, &f, err);
    mlr_tensors_free(t);
    if (rc < 0)
        mlr_facts_done(&f);
    else
        *out = f;
    return rc;
}

/* ---- together ---- */

int mlr_facts_merge(mlr_facts *f, const mlr_facts *more, mlreg_error **err)
{
    bool same_format = f->format == NULL || more->format == NULL || strcmp(f->format, more->format) == 0;
    int rc;

    if ((rc = keep(&f->architecture, more->architecture, err)) < 0 || (rc = keep(&f->family, more->family, err)) < 0 ||
        (rc = keep(&f->license, more->license, err)) < 0 || (rc = keep(&f->precision, more->precision, err)) < 0)
        return rc;
    /* The same weights are often there in a second format; counted twice they would be wrong. */
    if (same_format || (f->n_dtypes == 0 && more->n_dtypes > 0)) {
        if (!same_format) {
            mlr_free(f->format);
            f->format = NULL;
        }
        for (size_t i = 0; i < more->n_dtypes; i++)
            add_parameters(f, more->dtypes[i].name, more->dtypes[i].parameters);
        rc = keep(&f->format, more->format, err);
    }
    return rc;
}

void mlr_facts_done(mlr_facts *f)
{
    mlr_free(f->architecture);
    mlr_free(f->family);
    mlr_free(f->format);
    mlr_free(f->license);
    mlr_free(f->precision);
    *f = (mlr_facts){ 0 };
}

/* ---- in ModelPack's words ---- */

static uint64_t total(const mlr_facts *f)
{
    uint64_t n = 0;

    for (size_t i = 0; i < f->n_dtypes; i++)
        if (__builtin_add_overflow(n, f->dtypes[i].parameters, &n))
            return UINT64_MAX;
    return n;
}

/* With one digit behind the point below 100, rounded; without floating point, whose comma is the host's locale's. */
static void in_units(uint64_t n, uint64_t each, char unit, char *text)
{
    uint64_t tenths = n / each * 10 + (n % each * 10 + each / 2) / each;

    if (tenths >= 1000 || tenths % 10 == 0)
        snprintf(text, 32, "%" PRIu64 "%c", tenths >= 1000 ? (n / each) + (n % each >= each / 2) : tenths / 10, unit);
    else
        snprintf(text, 32, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10, unit);
}

bool mlr_facts_param_size(const mlr_facts *f, char *text)
{
    static const struct { uint64_t each; char unit; } units[] = {
        { 1000000000000, 't' }, { 1000000000, 'b' }, { 1000000, 'm' }, { 1000, 'k' }
    };
    uint64_t n = total(f);

    if (n == 0)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (n >= units[i].each - units[i].each / 2000) { /* 999.5 and more become 1 of the next */
            in_units(n, units[i].each, units[i].unit, text);
            return true;
        }
    snprintf(text, 32, "%" PRIu64, n);
    return true;
}

/* The type of nine tenths of all parameters, or NULL: small norms and buffers are often wider than the rest. */
static const char *main_dtype(const mlr_facts *f)
{
    uint64_t all = total(f);

    for (size_t i = 0; i < f->n_dtypes; i++)
        if (f->dtypes[i].parameters >= all - all / 10)
            return f->dtypes[i].name;
    return NULL;
}

static const struct { char from[9], to[6]; } precisions[] = {
    { "F64", "fp64" }, { "F32", "fp32" }, { "F16", "fp16" }, { "BF16", "bf16" }, { "F8_E4M3", "fp8" }, { "F8_E5M2", "fp8" },
    { "I8", "int8" }, { "U8", "int8" }, { "I16", "int16" }, { "I32", "int32" }, { "I64", "int64" }, { "BOOL", "bool" },
    { "float64", "fp64" }, { "float32", "fp32" }, { "float16", "fp16" }, { "bfloat16", "bf16" },
};

static const char *precision_of(const char *dtype)
{
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++)
        if (strcmp(precisions[i].from, dtype) == 0)
            return precisions[i].to;
    return NULL;
}

bool mlr_facts_precision(const mlr_facts *f, char *text)
{
    const char *dtype = f->n_dtypes > 0 ? main_dtype(f) : f->precision;
    const char *p = dtype != NULL ? precision_of(dtype) : NULL;

    if (f->n_dtypes > 0 && dtype == NULL)
        p = "mixed";
    if (p == NULL)
        return false;
    snprintf(text, 32, "%s", p);
    return true;
}

bool mlr_facts_quantization(const mlr_facts *f, char *text)
{
    uint64_t most = 0;
    const char *name = NULL;

    for (size_t i = 0; i < f->n_dtypes; i++)
        if (f->dtypes[i].parameters > most) {
            most = f->dtypes[i].parameters;
            name = f->dtypes[i].name;
        }
    if (name == NULL || precision_of(name) != NULL)
        return false;
    snprintf(text, 32, "%s", name);
    for (char *c = text; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return true;
}
