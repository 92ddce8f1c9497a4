/* codec/json_each.c - a long object member by member, so that memory is bounded by the longest of them. */
#include "codec/json.h"

#include "base/alloc.h"
#include "base/error.h"
#include "codec/json_check.h"

/* These walk text that was checked: nothing can be missing. */

static const char *behind_space(const char *s)
{
    while (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r')
        s++;
    return s;
}

static const char *behind_string(const char *s)
{
    for (s++; *s != '"'; s++)
        if (*s == '\\')
            s++;
    return s + 1;
}

/* Behind the value at `s`, whatever it is: at the ',' or bracket that ends it. */
static const char *behind_value(const char *s)
{
    int depth = 0;

    for (;;) {
        if (*s == '"') {
            s = behind_string(s);
            continue;
        }
        if (*s == '{' || *s == '[')
            depth++;
        else if (depth == 0 && (*s == ',' || *s == '}'))
            return s;
        else if (*s == '}' || *s == ']')
            depth--;
        s++;
    }
}

/* `text` is "key": value, which becomes an object of its own. */
static int hand_over(const mlr_json_rules *rules, const char *text, size_t len, const char *name, mlr_buf *scratch,
                     mlr_json_member_fn fn, void *user, mlreg_error **err)
{
    mlr_json *root = NULL;
    int       rc;

    mlr_buf_clear(scratch);
    if ((rc = mlr_buf_puts(scratch, "{", err)) < 0 || (rc = mlr_buf_add(scratch, text, len, err)) < 0 ||
        (rc = mlr_buf_puts(scratch, "}", err)) < 0 ||
        (rc = mlr_json_parse_as(rules, scratch->data, scratch->len, name, &root, err)) < 0)
        return rc;
    rc = fn(mlr_json_first(root), user, err);
    mlr_json_free(root);
    return rc < 0 ? rc : 0;
}

int mlr_json_each(const mlr_json_rules *rules, const char *text, size_t len, const char *name, mlr_json_member_fn fn,
                  void *user, mlreg_error **err)
{
    mlr_buf     scratch = MLR_BUF_INIT(len + 2);
    const char *s, *end;
    int         rc = mlr_json_check(rules, text, len, name, NULL, err);

    if (rc < 0)
        return rc;
    s = behind_space(text);
    if (*s != '{')
        return mlr_error_set(err, MLREG_EPROTO, "%s: no JSON object", name);
    for (s = behind_space(s + 1); rc == 0 && *s != '}'; s = *end == ',' ? behind_space(end + 1) : end) {
        end = behind_value(behind_space(behind_string(s)) + 1);
        rc = hand_over(rules, s, (size_t)(end - s), name, &scratch, fn, user, err);
    }
    mlr_buf_done(&scratch);
    return rc;
}
