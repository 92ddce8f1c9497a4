/* place/registry_pages.c - a list that comes in pages: following Link, never to another origin and never for ever. */
#include "place/registry_pages.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"

#define PAGE_MAX_BYTES (8u << 20)

/* ---- Link: <https://…>; rel="next", <…>; rel="last" ---- */

static const char *skip_blanks(const char *s)
{
    return s + strspn(s, " \t");
}

/* The value at `s`, quoted or not: its first character in *from, its length; gives what stands behind it. */
static const char *take_value(const char *s, const char **from, size_t *len)
{
    bool quoted = *s == '"';

    *from = s += quoted;
    *len = strcspn(s, quoted ? "\"" : ";, \t");
    s += *len;
    return quoted && *s == '"' ? s + 1 : s;
}

static bool says_next(const char *value, size_t len)
{
    return len == strlen("next") && strncasecmp(value, "next", len) == 0;
}

/* Reads the parameters of one link up to ',' or the end. */
static const char *take_parameters(const char *s, bool *is_next)
{
    while (*(s = skip_blanks(s)) == ';') {
        const char *name = skip_blanks(s + 1), *value;
        size_t      name_len = strcspn(name, "=;, \t"), len;

        s = skip_blanks(name + name_len);
        if (*s != '=')
            continue;
        s = take_value(skip_blanks(s + 1), &value, &len);
        if (name_len == strlen("rel") && strncasecmp(name, "rel", name_len) == 0 && says_next(value, len))
            *is_next = true;
    }
    return s + strcspn(s, ",");
}

/* The target of the link that is called next in one header; its length in *len; NULL if there is none. */
static const char *next_in(const char *header, size_t *len)
{
    for (const char *s = skip_blanks(header); *s == '<'; s = skip_blanks(s + (*s == ','))) {
        const char *target = s + 1, *end = strchr(target, '>');
        bool        is_next = false;

        if (end == NULL)
            return NULL;
        *len = (size_t)(end - target);
        s = take_parameters(end + 1, &is_next);
        if (is_next)
            return target;
    }
    return NULL;
}

/* The link as an absolute URL into p->next; EPROTO if it leads to another origin, which our credentials are not for. */
static int take_link(mlr_pages *p, const char *target, size_t len, mlreg_error **err)
{
    mlr_url base = {NULL, NULL, 0, NULL}, next = {NULL, NULL, 0, NULL};
    char   *text = mlr_strndup(target, len);
    int     rc;

    if (text == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_client_absolute(p->g->client, p->ask->call.request.url, &base, err)) < 0)
        goto out;
    if ((rc = mlr_url_resolve(&base, text, &next, NULL)) == MLREG_ENOMEM)
        mlr_error_nomem(err);
    else if (rc < 0)
        rc = mlr_ask_leads_nowhere("the Link to the next page", text, err);
    else if (!mlr_url_same_origin(&base, &next))
        rc = mlr_error_set(err, MLREG_EPROTO, "the next page of the %s is said to be at another origin, %s://%s",
                           p->ask->what, next.scheme, next.host);
    else if ((p->next = mlr_url_text(&next)) == NULL)
        rc = mlr_error_nomem(err);
out:
    mlr_url_done(&base);
    mlr_url_done(&next);
    mlr_free(text);
    return rc;
}

static int find_link(mlr_pages *p, const mlr_exchange *x, mlreg_error **err)
{
    const char *header, *target;
    size_t      len;

    for (size_t i = 0; (header = mlr_exchange_header(x, "Link", i)) != NULL; i++)
        if ((target = next_in(header, &len)) != NULL)
            return take_link(p, target, len, err);
    return 0;
}

/* ---- pages ---- */

int mlr_pages_next(mlr_pages *p, mlr_op *op, mlr_json **page, mlreg_error **err)
{
    mlr_buf       body = MLR_BUF_INIT(PAGE_MAX_BYTES);
    mlr_exchange *x = NULL;
    char         *url = p->next;
    int           rc;

    if (p->n > 0 && url == NULL)
        return 0;
    if (p->n == MLR_PAGES_MAX)
        return mlr_error_set(err, MLREG_ELIMIT, "the %s do not end after %d pages", p->ask->what, MLR_PAGES_MAX);
    p->next = NULL;
    p->ask->call.request.url = url != NULL ? url : p->ask->url;
    if ((rc = mlr_ask_fetch(p->ask, p->g, op, &body, &x, err)) < 0)
        goto out;
    if ((p->status = rc) != 200) {
        rc = mlr_ask_refused(p->ask, p->g, x, op, err);
        goto out;
    }
    if ((rc = find_link(p, x, err)) < 0 ||
        (rc = mlr_json_parse(body.data != NULL ? body.data : "", body.len, p->ask->what, page, err)) < 0)
        goto out;
    p->n++;
    rc = 1;
out:
    p->ask->call.request.url = p->ask->url;
    mlr_free(url);
    mlr_exchange_free(x);
    mlr_buf_done(&body);
    return rc;
}

int mlr_pages_after(mlr_pages *p, const char *last, mlreg_error **err)
{
    mlr_free(p->next);
    p->next = mlr_url_add_query(p->ask->url, "last", last);
    return p->next != NULL ? 0 : mlr_error_nomem(err);
}

void mlr_pages_done(mlr_pages *p)
{
    mlr_free(p->next);
    p->next = NULL;
}
