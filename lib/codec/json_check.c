/* codec/json_check.c - the validator: refuses every text that two JSON parsers could read differently. */
#include "codec/json_check.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"
#include "codec/json_key.h"
#include "codec/json_scan.h"

#define QUOTED_MAX_BYTES 64                    /* of a stranger's key in a message */

typedef struct frame {
    size_t   token;                            /* of the container, when there are tokens */
    size_t   first_key;                        /* in check.keys: where its own begin */
    uint32_t count;
    bool     is_object;
} frame;

typedef struct check {
    const char *text, *at, *end, *name;
    bool fold;
    mlr_json_tokens   *tokens;                 /* or NULL */
    mlr_json_key_mark *keys;                   /* of all objects that are open, outermost first */
    size_t n_keys, cap_keys;
    frame  open[MLR_JSON_MAX_DEPTH];
    size_t depth;
    mlreg_error **err;
} check;

static int fail(check *c, const char *at, int code, const char *format, ...) __attribute__((format(printf, 4, 5)));

static int fail(check *c, const char *at, int code, const char *format, ...)
{
    char    what[256];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return mlr_error_set(c->err, code, "%s: byte %zu: %s", c->name, (size_t)(at - c->text), what);
}

static void skip_space(check *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
        c->at++;
}

static bool take(check *c, char wanted)
{
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static int add_token(check *c, const char *at)
{
    mlr_json_tokens *t = c->tokens;

    if (t == NULL)
        return 0;
    if (t->n == MLR_JSON_MAX_VALUES)
        return fail(c, at, MLREG_ELIMIT, "more than %u values", MLR_JSON_MAX_VALUES);
    if (mlr_grow(&t->items, &t->cap, t->n, sizeof *t->items) < 0)
        return mlr_error_nomem(c->err);
    t->items[t->n++] = (mlr_json_token){.at = (uint32_t)(at - c->text), .span = 1};
    return 0;
}

/* The value that began at token `i` ends here. */
static void end_token(check *c, size_t i, uint32_t count)
{
    if (c->tokens == NULL)
        return;
    mlr_json_token *t = &c->tokens->items[i];
    t->len = (uint32_t)(c->at - c->text) - t->at;
    t->count = count;
    t->span = (uint32_t)(c->tokens->n - i);
}

static int open_container(check *c)
{
    if (c->depth == MLR_JSON_MAX_DEPTH)
        return fail(c, c->at, MLREG_ELIMIT, "nested more than %d deep", MLR_JSON_MAX_DEPTH);
    c->open[c->depth++] = (frame){.token = c->tokens != NULL ? c->tokens->n - 1 : 0, .first_key = c->n_keys,
                                  .is_object = *c->at == '{'};
    c->at++;
    return 1;
}

static int clashing_key(check *c, const char *key, bool differ_by_case)
{
    uint32_t ch;
    int      len = 0;

    while (key[len] != '"' && len < QUOTED_MAX_BYTES)
        len += key[len] == '\\' ? 2 : (int)mlr_utf8_next(key + len, 4, &ch);
    return fail(c, key - 1, MLREG_EPROTO, differ_by_case ? "key \"%.*s%s\" differs from another only by case"
                                                          : "duplicate key \"%.*s%s\"",
                len, key, key[len] == '"' ? "" : "...");
}

static int close_container(check *c)
{
    frame      *f = &c->open[c->depth - 1];
    size_t      n = c->n_keys - f->first_key;
    bool        differ_by_case = false;
    const char *key = NULL;

    if (n > 1)
        key = mlr_json_key_clash(c->keys + f->first_key, n, c->fold, &differ_by_case);
    if (key != NULL)
        return clashing_key(c, key, differ_by_case);
    c->n_keys = f->first_key;
    c->at++;
    end_token(c, f->token, f->count);
    c->depth--;
    return 0;
}

static int key(check *c)
{
    const char *start = c->at, *wrong;

    if (c->at == c->end || *c->at != '"')
        return fail(c, c->at, MLREG_EPROTO, "a key in quotes belongs here");
    if ((wrong = mlr_json_scan_string(&c->at, c->end)) != NULL)
        return fail(c, c->at, MLREG_EPROTO, "%s", wrong);
    if (c->n_keys == MLR_JSON_MAX_VALUES)
        return fail(c, start, MLREG_ELIMIT, "more than %u keys", MLR_JSON_MAX_VALUES);
    if (mlr_grow(&c->keys, &c->cap_keys, c->n_keys, sizeof *c->keys) < 0)
        return mlr_error_nomem(c->err);
    c->keys[c->n_keys++] = mlr_json_key_of(start + 1, c->fold);
    skip_space(c);
    return take(c, ':') ? 0 : fail(c, c->at, MLREG_EPROTO, "a ':' belongs here");
}

static const char *scan_scalar(check *c)
{
    switch (*c->at) {
    case '"': return mlr_json_scan_string(&c->at, c->end);
    case 't': return mlr_json_scan_word(&c->at, c->end, "true");
    case 'f': return mlr_json_scan_word(&c->at, c->end, "false");
    case 'n': return mlr_json_scan_word(&c->at, c->end, "null");
    default: return mlr_json_scan_number(&c->at, c->end);
    }
}

static int scalar(check *c)
{
    const char *start = c->at, *wrong = scan_scalar(c);

    if (wrong != NULL)
        return fail(c, c->at, MLREG_EPROTO, "%s", wrong);
    if (*start != '"' && c->at - start > MLR_JSON_MAX_NUMBER)
        return fail(c, start, MLREG_ELIMIT, "a number of more than %d characters", MLR_JSON_MAX_NUMBER);
    if (c->tokens != NULL)
        end_token(c, c->tokens->n - 1, 0);
    return 0;
}

/* Reads a whole value, or the bracket that opens one: then 1. */
static int value(check *c)
{
    int rc;

    skip_space(c);
    if (c->at == c->end)
        return fail(c, c->at, MLREG_EPROTO, "the text ends where a value belongs");
    if ((rc = add_token(c, c->at)) < 0)
        return rc;
    return *c->at == '{' || *c->at == '[' ? open_container(c) : scalar(c);
}

/* Goes on to where the next value begins, closing what ends before it: 1, or 0 when everything is closed. */
static int next_value(check *c, bool opened)
{
    int rc;

    while (c->depth > 0) {
        frame *f = &c->open[c->depth - 1];
        char   bracket = f->is_object ? '}' : ']';
        skip_space(c);
        if (c->at < c->end && *c->at == bracket) {
            if ((rc = close_container(c)) < 0)
                return rc;
            opened = false;
            continue;
        }
        if (!opened && !take(c, ','))
            return fail(c, c->at, MLREG_EPROTO, "a ',' or '%c' belongs here", bracket);
        f->count++;
        skip_space(c);
        if (f->is_object && (rc = key(c)) < 0)
            return rc;
        return 1;
    }
    return 0;
}

static int document(check *c)
{
    int rc;

    if (c->end - c->text >= 3 && memcmp(c->text, "\xEF\xBB\xBF", 3) == 0)
        return fail(c, c->text, MLREG_EPROTO, "begins with a byte order mark");
    do {
        if ((rc = value(c)) >= 0)
            rc = next_value(c, rc == 1);
    } while (rc > 0);
    if (rc < 0)
        return rc;
    assert(c->depth == 0);
    skip_space(c);
    return c->at == c->end ? 0 : fail(c, c->at, MLREG_EPROTO, "bytes behind the value");
}

int mlr_json_check(const mlr_json_rules *rules, const char *text, size_t len, const char *name,
                   mlr_json_tokens *tokens, mlreg_error **err)
{
    size_t max = rules != NULL && rules->max_bytes > 0 ? rules->max_bytes : MLR_JSON_MAX_BYTES;
    check  c = {.text = text, .at = text, .end = text + len, .name = name, .tokens = tokens, .err = err,
                .fold = rules == NULL || !rules->case_matters};
    int    rc;

    assert(max <= UINT32_MAX);                 /* tokens count so far */
    if (len > max)
        return mlr_error_set(err, MLREG_ELIMIT, "%s: %zu bytes of JSON, more than %zu", name, len, max);
    if (len == 0)
        return mlr_error_set(err, MLREG_EPROTO, "%s: byte 0: empty where JSON belongs", name);
    rc = document(&c);
    mlr_free(c.keys);
    return rc;
}

void mlr_json_tokens_done(mlr_json_tokens *t)
{
    mlr_free(t->items);
    *t = (mlr_json_tokens)MLR_JSON_TOKENS_INIT;
}
