/* codec/toml_value.c - TOML's values: what stands behind the '='. */
#include "codec/toml_parts.h"

#include <string.h>

#define DEPTH_MAX 32                   /* of arrays and inline tables in each other */

static int read_over(mlr_toml *t, mlreg_error **err)
{
    mlr_toml_item item = {.kind = MLR_TOML_OTHER};
    mlr_buf       kept = t->text;
    int           rc;

    t->text = mlr_toml_buf(t);
    rc = mlr_toml_value(t, &item, err);
    mlr_buf_done(&t->text);
    t->text = kept;
    return rc;
}

static int read_array(mlr_toml *t, mlr_toml_item *out, mlreg_error **err)
{
    int rc = 0;

    out->kind = MLR_TOML_ARRAY;
    for (bool more = true; rc == 0; out->n++) {
        mlr_toml_skip_lines(t);
        if (mlr_toml_accept(t, "]"))
            return 0;
        if (!more)
            return mlr_toml_fault(t, "an array without its end", err);
        rc = read_over(t, err);
        mlr_toml_skip_lines(t);
        more = rc == 0 && mlr_toml_accept(t, ",");
    }
    return rc;
}

static int read_inline_pair(mlr_toml *t, mlreg_error **err)
{
    mlr_buf key = mlr_toml_buf(t);
    int     rc = mlr_toml_key(t, &key, err);

    mlr_buf_done(&key);
    if (rc == 0 && !mlr_toml_accept(t, "="))
        return mlr_toml_fault(t, "a name without '='", err);
    mlr_toml_skip_blanks(t);
    return rc < 0 ? rc : read_over(t, err);
}

static int read_inline(mlr_toml *t, mlr_toml_item *out, mlreg_error **err)
{
    int rc;

    out->kind = MLR_TOML_INLINE;
    mlr_toml_skip_blanks(t);
    if (mlr_toml_accept(t, "}"))
        return 0;
    do {
        if ((rc = read_inline_pair(t, err)) < 0)
            return rc;
        mlr_toml_skip_blanks(t);
    } while (mlr_toml_accept(t, ","));
    return mlr_toml_accept(t, "}") ? 0 : mlr_toml_fault(t, "an inline table without its end", err);
}

static int read_word(mlr_toml *t, mlr_toml_item *out, mlreg_error **err)
{
    const char *from = t->at;

    while (t->at < t->end && (mlr_toml_is_bare(*t->at) || *t->at == '+' || *t->at == '.' || *t->at == ':'))
        t->at++;
    if (t->at - from == 4 && memcmp(from, "true", 4) == 0)
        out->kind = MLR_TOML_TRUE;
    else if (t->at - from == 5 && memcmp(from, "false", 5) == 0)
        out->kind = MLR_TOML_FALSE;
    else if (t->at > from && strchr("0123456789+-", *from) != NULL)
        out->kind = MLR_TOML_OTHER;
    else
        return mlr_toml_fault(t, "no value: a string stands in quotes, and yes and no are 'true' and 'false'", err);
    return 0;
}

int mlr_toml_value(mlr_toml *t, mlr_toml_item *out, mlreg_error **err)
{
    int rc;

    if (t->depth == DEPTH_MAX)
        return mlr_toml_fault(t, "too many arrays and tables within each other", err);
    t->depth++;
    if (mlr_toml_peek(t) == '"' || mlr_toml_peek(t) == '\'') {
        out->kind = MLR_TOML_STRING;
        rc = mlr_toml_string(t, &t->text, err);
    } else if (mlr_toml_accept(t, "[")) {
        rc = read_array(t, out, err);
    } else {
        rc = mlr_toml_accept(t, "{") ? read_inline(t, out, err) : read_word(t, out, err);
    }
    t->depth--;
    return rc;
}
