/* model/variant_kitops.c - what KitOps writes into the entries of its indexes: "modelMetadata", an open set of which three say what a
 * machine must have. Their values are people's: strings, numbers, lists. */
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "codec/json.h"
#include "model/variant.h"

#define LIST_MAX_BYTES 1024
#define GIGABYTE       1000000000u

/* A string, or the strings of an array with blanks between; "" for all else. */
static int words(const mlr_json *v, char **out, mlreg_error **err)
{
    mlr_buf text = MLR_BUF_INIT(LIST_MAX_BYTES);
    int rc = mlr_buf_puts(&text, mlr_json_string(v) != NULL ? mlr_json_string(v) : "", err);

    if (mlr_json_type_of(v) == MLR_JSON_ARRAY)
        for (const mlr_json *x = mlr_json_first(v); x != NULL && rc == 0; x = mlr_json_next(x))
            rc = mlr_json_string(x) != NULL ? mlr_buf_printf(&text, err, "%s%s", text.len > 0 ? " " : "", mlr_json_string(x)) : 0;
    if (rc == 0 && (*out = mlr_buf_take(&text)) == NULL)
        rc = mlr_error_nomem(err);
    mlr_buf_done(&text);
    return rc;
}

/* "24GB", "24 GiB", "16384MiB"; a bare number is gigabytes, as people speak of devices. */
static uint64_t bytes(const mlr_json *v)
{
    const char *text = mlr_json_string(v);
    double n = 0, unit = GIGABYTE;
    char *end = NULL;

    if (text == NULL)
        return mlr_json_double(v, &n) && n > 0 && n < 1e6 ? (uint64_t)(n * unit) : 0;
    n = strtod(text, &end);
    end += strspn(end, " ");
    if (*end == 'm' || *end == 'M')
        unit = end[1] == 'i' ? 1048576 : 1e6;
    else if ((*end == 'g' || *end == 'G') && end[1] == 'i')
        unit = 1073741824;
    return n > 0 && n < 1e6 ? (uint64_t)(n * unit) : 0;
}

/* "sm_80 gfx942" as compute capabilities and targets: "8.0 gfx942". In place: that is never longer by more than a dot for each "sm". */
static void rewrite_archs(char *archs)
{
    char *to = archs;

    for (const char *at = archs; *at != '\0';) {
        size_t n = strcspn(at, " ,"), digits;
        const char *number = at + (strncmp(at, "sm_", 3) == 0 ? 3 : strncmp(at, "sm", 2) == 0 ? 2 : 0);

        digits = strspn(number, "0123456789");
        if (number > at && digits >= 2 && number + digits == at + n) {
            memmove(to, number, digits - 1);
            to[digits - 1] = '.';
            to[digits] = number[digits - 1];
            to += digits + 1;
        } else {
            memmove(to, at, n);
            to += n;
        }
        at += n;
        if (*at != '\0')
            *to++ = *at++;
    }
    *to = '\0';
}

static const char *kinds_of(const char *archs)
{
    bool rocm = strstr(archs, "gfx") != NULL, cuda = strpbrk(archs, ".") != NULL;

    return cuda && rocm ? "cuda rocm" : cuda ? "cuda" : rocm ? "rocm" : NULL;
}

static int read_metadata(const mlr_json *meta, mlr_variant *v, mlreg_error **err)
{
    int rc;

    if ((rc = words(mlr_json_get(meta, "quantization"), &v->owned[0], err)) < 0 || (rc = words(mlr_json_get(meta, "gpuArchs"), &v->owned[1], err)) < 0)
        return rc;
    v->memory_bytes = bytes(mlr_json_get(meta, "vram"));
    if (v->owned[0][0] != '\0')
        v->precision = v->owned[0];
    rewrite_archs(v->owned[1]);
    if ((v->accelerator = kinds_of(v->owned[1])) != NULL)
        v->compute = v->owned[1];
    return 0;
}

int mlr_variant_read_kitops(const mlr_descriptor *entry, mlr_variant *v, mlreg_error **err)
{
    mlr_json *root = NULL;
    int rc = 0;

    if (entry->raw == NULL || strstr(entry->raw, "\"modelMetadata\"") == NULL)
        return 0;
    if ((rc = mlr_json_parse(entry->raw, strlen(entry->raw), "entry", &root, err)) == 0 &&
        mlr_json_type_of(mlr_json_get(root, "modelMetadata")) == MLR_JSON_OBJECT)
        rc = read_metadata(mlr_json_get(root, "modelMetadata"), v, err);
    mlr_json_free(root);
    return rc;
}
