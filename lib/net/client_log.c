/* net/client_log.c - lines for the user's log: what was asked, what was tried again, what a registry warns of. */
#include "net/client_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"
#include "codec/xxh.h"

#define LINE_MAX_BYTES     512
#define WARNING_MAX_BYTES  4096        /* distribution-spec, "Warnings" */
#define WARNING_PREFIX     "299 - \""

/* In place: what a terminal must not get from a stranger becomes '?'. */
static void clean(char *text)
{
    size_t len = strlen(text), n;

    for (size_t at = 0; at < len; at += n) {
        uint32_t c = 0;

        n = mlr_utf8_next(text + at, len - at, &c);
        if (n > 0 && !mlr_utf8_is_control(c))
            continue;
        n = n > 0 ? n : 1;
        memset(text + at, '?', n);
    }
}

struct line {
    mlreg_log_fn log;
    void        *user;
    int          level;
    char         text[];
};

static int write_line(void *arg, mlreg_error **err)
{
    const struct line *l = arg;

    (void)err;
    l->log(l->level, l->text, l->user);
    return 0;
}

/* Workers do not wait until the user has read it. One that finds no memory is not told. */
static void put(const mlr_client *c, mlr_op *op, int level, const char *text)
{
    size_t       room = strlen(text) + 1;
    struct line *l = mlr_alloc(sizeof *l + room);

    if (l == NULL)
        return;
    l->log = c->log;
    l->user = c->log_user;
    l->level = level;
    memcpy(l->text, text, room);
    clean(l->text);
    mlr_op_post(op, write_line, l);
}

void mlr_client_log(const mlr_client *c, mlr_op *op, int level, const char *format, ...)
{
    char    text[LINE_MAX_BYTES];
    va_list args;

    if (c->log == NULL)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put(c, op, level, text);
}

/* ---- warnings ---- */

static bool is_news(mlr_client *c, uint64_t hash)
{
    bool known = false;

    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->n_warned && i < MLR_CLIENT_WARNINGS; i++)
        known = known || c->warned[i] == hash;
    if (!known)
        c->warned[c->n_warned++ % MLR_CLIENT_WARNINGS] = hash;
    pthread_mutex_unlock(&c->lock);
    return !known;
}

/* `299 - "text"`, with \" and \\ inside. The text, or NULL for anything else or too much of it. */
static char *warning_text(const char *value)
{
    size_t prefix = sizeof WARNING_PREFIX - 1;
    char  *text, *to;

    if (strncmp(value, WARNING_PREFIX, prefix) != 0 || strlen(value) > WARNING_MAX_BYTES)
        return NULL;
    if ((text = mlr_strdup(value + prefix)) == NULL)
        return NULL;
    to = text;
    for (const char *from = text; *from != '\0' && *from != '"'; from++) {
        if (*from == '\\' && from[1] != '\0')
            from++;
        *to++ = *from;
    }
    *to = '\0';
    return text;
}

static void show_warnings(mlr_client *c, mlr_op *op, const mlr_exchange *x)
{
    const char *value;

    for (size_t i = 0; (value = mlr_exchange_header(x, "Warning", i)) != NULL; i++) {
        char *text = warning_text(value), *line = NULL;

        if (text != NULL && is_news(c, mlr_xxh3(text, strlen(text))))
            line = mlr_asprintf("%s warns: %s", mlr_exchange_host(x), text);
        if (line != NULL)
            put(c, op, MLREG_LOG_WARN, line);
        mlr_free(line);
        mlr_free(text);
    }
}

void mlr_client_log_answer(mlr_client *c, mlr_op *op, const mlr_request *r, const mlr_exchange *x)
{
    char *shown;

    if (c->log == NULL)
        return;
    shown = mlr_url_shown(r->url);
    mlr_client_log(c, op, MLREG_LOG_DEBUG, "%s %s: %d", r->method, shown != NULL ? shown : "?", mlr_exchange_status(x));
    mlr_free(shown);
    show_warnings(c, op, x);
}
