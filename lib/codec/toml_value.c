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

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_word(mlr_toml *t)
{
    while (t->at < t->end && (mlr_toml_is_bare(*t->at) || *t->at == '+' || *t->at == '.' || *t->at == ':'))
        t->at++;
}

static bool is_word(const char *from, const char *end, const char *word)
{
    return (size_t)(end - from) == strlen(word) && memcmp(from, word, strlen(word)) == 0;
}

/* 1979-05-27: a time may stand behind it, with a blank between them. */
static bool is_date(const char *from, const char *end)
{
    static const char like[] = "0000-00-00";
    bool fits = (size_t)(end - from) == sizeof like - 1;

    for (size_t i = 0; fits && i < sizeof like - 1; i++)
        fits = like[i] == '0' ? is_digit(from[i]) : from[i] == like[i];
    return fits;
}

static int read_word(mlr_toml *t, mlr_toml_item *out, mlreg_error **err)
{
    const char *from = t->at;

    skip_word(t);
    if (is_date(from, t->at) && t->end - t->at >= 2 && t->at[0] == ' ' && is_digit(t->at[1])) {
        t->at++;
        skip_word(t);
    }
    if (is_word(from, t->at, "true"))
        out->kind = MLR_TOML_TRUE;
    else if (is_word(from, t->at, "false"))
        out->kind = MLR_TOML_FALSE;
    else if ((t->at > from && strchr("0123456789+-", *from) != NULL) || is_word(from, t->at, "inf") || is_word(from, t->at, "nan"))
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
