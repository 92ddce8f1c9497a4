/* codec/toml.c - TOML as files of settings use it: one table or pair at a time, each with its line. */
#include "codec/toml_parts.h"

#include "base/utf8.h"

static int check_characters(mlr_toml *t, mlreg_error **err)
{
    size_t n;

    for (const char *s = t->at; s < t->end; s += n) {
        uint32_t c = 0;

        if ((n = mlr_utf8_next(s, (size_t)(t->end - s), &c)) == 0)
            return mlr_toml_fault(t, "not UTF-8", err);
        if (c == '\n')
            t->line++;
        else if ((c < ' ' && c != '\t' && (c != '\r' || s + 1 == t->end || s[1] != '\n')) || c == 0x7f)
            return mlr_toml_fault(t, "a control character", err);
    }
    t->line = 1;
    return 0;
}

static int read_table(mlr_toml *t, mlr_toml_item *out, mlreg_error **err)
{
    bool is_element = mlr_toml_accept(t, "[[");
    int  rc;

    if (!is_element)
        t->at++;
    out->kind = is_element ? MLR_TOML_ELEMENT : MLR_TOML_TABLE;
    mlr_buf_clear(&t->table);
    if ((rc = mlr_toml_key(t, &t->table, err)) < 0)
        return rc;
    return mlr_toml_accept(t, is_element ? "]]" : "]") ? 0 : mlr_toml_fault(t, "a table's name without its closing bracket", err);
}

static int read_pair(mlr_toml *t, mlr_toml_item *out, mlreg_error **err)
{
    int rc = mlr_toml_key(t, &t->key, err);

    if (rc == 0 && !mlr_toml_accept(t, "="))
        return mlr_toml_fault(t, "a name without '='", err);
    mlr_toml_skip_blanks(t);
    return rc < 0 ? rc : mlr_toml_value(t, out, err);
}

int mlr_toml_begin(mlr_toml *t, const char *name, const char *text, size_t len, mlreg_error **err)
{
    const mlr_buf none = MLR_BUF_INIT(len);

    *t = (mlr_toml){name, text, text + len, 1, 0, none, none, none};
    mlr_toml_accept(t, "\xef\xbb\xbf");             /* how some editors begin a file */
    return check_characters(t, err);
}

int mlr_toml_next(mlr_toml *t, mlr_toml_item *out, mlreg_error **err)
{
    mlr_toml_item item = {.kind = MLR_TOML_OTHER};
    int           rc;

    mlr_toml_skip_lines(t);
    if (t->at == t->end)
        return 0;
    mlr_buf_clear(&t->key);
    mlr_buf_clear(&t->text);
    item.line = t->line;
    rc = mlr_toml_peek(t) == '[' ? read_table(t, &item, err) : read_pair(t, &item, err);
    if (rc < 0)
        return rc;
    if (!mlr_toml_skip_to_end(t))
        return mlr_toml_fault(t, "something follows where the line should end", err);
    item.table = t->table.len > 0 ? t->table.data : "";
    item.key = t->key.len > 0 ? t->key.data : "";
    item.text = t->text.len > 0 ? t->text.data : "";
    *out = item;
    return 1;
}

void mlr_toml_done(mlr_toml *t)
{
    mlr_buf_done(&t->table);
    mlr_buf_done(&t->key);
    mlr_buf_done(&t->text);
}
