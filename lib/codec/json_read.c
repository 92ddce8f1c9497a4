/* codec/json_read.c - the tree: what cJSON made of a checked text, each value with the bytes it was read from. */
#include "codec/json.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "codec/json_check.h"

struct mlr_json {
    const cJSON *node;         /* for what cJSON decodes: keys, strings, doubles */
    const char  *raw;
    uint32_t     len;          /* of raw */
    uint32_t     count, span;  /* as in mlr_json_token: children follow at once, the next sibling `span` further on */
};

typedef struct document {
    cJSON   *tree;
    char    *text;             /* what every raw points into */
    mlr_json values[];         /* in the order in which they begin; the first is the root */
} document;

/* Both lists are in the order of the text, so one walk joins them. */
static void join(document *d, const mlr_json_tokens *t)
{
    const cJSON *above[MLR_JSON_MAX_DEPTH], *node = d->tree;
    size_t       depth = 0;

    for (size_t i = 0; i < t->n; i++) {
        const mlr_json_token *token = &t->items[i];
        assert(node != NULL);
        d->values[i] = (mlr_json){node, d->text + token->at, token->len, token->count, token->span};
        if (node->child != NULL) {
            above[depth++] = node;
            node = node->child;
            continue;
        }
        while (node->next == NULL && depth > 0)
            node = above[--depth];
        node = node->next;
    }
    assert(node == NULL && depth == 0);
}

static int make_document(const char *text, size_t len, const mlr_json_tokens *t, document **out, mlreg_error **err)
{
    document *d = mlr_alloc(sizeof *d + t->n * sizeof d->values[0]);   /* at most MLR_JSON_MAX_VALUES */

    if (d == NULL)
        return mlr_error_nomem(err);
    d->text = mlr_strndup(text, len);
    if (d->text != NULL)
        d->tree = cJSON_ParseWithLengthOpts(d->text, len, NULL, 0);
    if (d->tree == NULL) {                     /* the text was checked: only memory is left to fail */
        mlr_free(d->text);
        mlr_free(d);
        return mlr_error_nomem(err);
    }
    join(d, t);
    *out = d;
    return 0;
}

int mlr_json_parse_as(const mlr_json_rules *rules, const char *text, size_t len, const char *name, mlr_json **root,
                      mlreg_error **err)
{
    mlr_json_tokens t = MLR_JSON_TOKENS_INIT;
    document       *d = NULL;
    int             rc;

    if ((rc = mlr_json_check(rules, text, len, name, &t, err)) < 0 ||
        (rc = make_document(text, len, &t, &d, err)) < 0)
        goto out;
    *root = d->values;
out:
    mlr_json_tokens_done(&t);
    return rc;
}

int mlr_json_parse(const char *text, size_t len, const char *name, mlr_json **root, mlreg_error **err)
{
    return mlr_json_parse_as(NULL, text, len, name, root, err);
}

void mlr_json_free(mlr_json *root)
{
    if (root == NULL)
        return;
    document *d = (document *)(void *)((char *)root - offsetof(document, values));
    cJSON_Delete(d->tree);
    mlr_free(d->text);
    mlr_free(d);
}

/* ---- looking ---- */

mlr_json_type mlr_json_type_of(const mlr_json *v)
{
    if (v == NULL)
        return MLR_JSON_MISSING;
    switch (v->raw[0]) {
    case '{': return MLR_JSON_OBJECT;
    case '[': return MLR_JSON_ARRAY;
    case '"': return MLR_JSON_STRING;
    case 't':
    case 'f': return MLR_JSON_BOOL;
    case 'n': return MLR_JSON_NULL;
    default: return MLR_JSON_NUMBER;
    }
}

size_t mlr_json_count(const mlr_json *v)
{
    return v == NULL ? 0 : v->count;
}

const mlr_json *mlr_json_first(const mlr_json *v)
{
    return v == NULL || v->count == 0 ? NULL : v + 1;
}

const mlr_json *mlr_json_first_member(const mlr_json *v)
{
    return mlr_json_type_of(v) == MLR_JSON_OBJECT ? mlr_json_first(v) : NULL;
}

const mlr_json *mlr_json_next(const mlr_json *v)
{
    return v == NULL || v->node->next == NULL ? NULL : v + v->span;
}

const mlr_json *mlr_json_at(const mlr_json *v, size_t i)
{
    const mlr_json *child = i < mlr_json_count(v) ? v + 1 : NULL;

    while (child != NULL && i-- > 0)
        child = mlr_json_next(child);
    return child;
}

const mlr_json *mlr_json_get(const mlr_json *object, const char *key)
{
    for (const mlr_json *m = mlr_json_first_member(object); m != NULL; m = mlr_json_next(m))
        if (strcmp(m->node->string, key) == 0)
            return m;
    return NULL;
}

const char *mlr_json_key(const mlr_json *member)
{
    return member == NULL ? NULL : member->node->string;
}

const char *mlr_json_string(const mlr_json *v)
{
    return mlr_json_type_of(v) == MLR_JSON_STRING ? v->node->valuestring : NULL;
}

/* From the text: cJSON keeps doubles, which are not exact beyond 2^53. */
bool mlr_json_u64(const mlr_json *v, uint64_t *out)
{
    uint64_t n = 0;

    if (mlr_json_type_of(v) != MLR_JSON_NUMBER)
        return false;
    for (size_t i = 0; i < v->len; i++) {
        unsigned digit = (unsigned char)v->raw[i] - (unsigned)'0';
        if (digit > 9 || n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return true;
}

bool mlr_json_bool(const mlr_json *v, bool *out)
{
    if (mlr_json_type_of(v) != MLR_JSON_BOOL)
        return false;
    *out = v->raw[0] == 't';
    return true;
}

bool mlr_json_double(const mlr_json *v, double *out)
{
    if (mlr_json_type_of(v) != MLR_JSON_NUMBER || !isfinite(v->node->valuedouble))
        return false;
    *out = v->node->valuedouble;
    return true;
}

const char *mlr_json_raw(const mlr_json *v, size_t *len)
{
    if (v == NULL)
        return NULL;
    *len = v->len;
    return v->raw;
}
