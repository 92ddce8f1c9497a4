/* place/mirrored_walk.c - from source to source: whom to ask next, and what was said by those before; manifests so read. */
#include "place/mirrored.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define TRIED_MAX_BYTES 4096
#define REASON_MAX      200

int mlr_walk_begin(mlr_walk *w, mlr_registry *g, const char *repo, const char *word, const char *what,
                   mlreg_error **err)
{
    *w = (mlr_walk){.g = g, .tried = MLR_BUF_INIT(TRIED_MAX_BYTES)};
    snprintf(w->what, sizeof w->what, "%s", what);
    return mlr_mirrored_choose(g, repo, word, &w->sources, err);
}

void mlr_walk_done(mlr_walk *w)
{
    mlr_sources_done(&w->sources);
    mlr_buf_done(&w->tried);
}

static const mlr_source *source(const mlr_walk *w)
{
    return w->sources.n > 0 ? &w->sources.items[w->at] : NULL;
}

static bool is_last(const mlr_walk *w)
{
    return w->at + 1 >= w->sources.n;
}

/* Whose turn it is, for messages. */
static const char *host_of(const mlr_walk *w)
{
    const mlr_source *s = source(w);

    return s == NULL || s->url == NULL ? w->g->place.name : s->url;
}

int mlr_walk_here(mlr_walk *w, mlr_registry **place, const char **repo, mlreg_error **err)
{
    const mlr_source *s = source(w);
    int               rc;

    *place = w->g;
    w->is_away = false;
    if (s == NULL || s->url == NULL)
        return 0;
    *repo = s->repo;
    if ((rc = mlr_mirrored_place(w->g, s, is_last(w), place, &w->is_away, err)) == 0 && w->is_away && !is_last(w))
        rc = mlr_error_set(err, MLREG_ENET, "did not answer a moment ago");
    return rc;
}

/* What another place may do better. */
static bool is_worth_another(int rc)
{
    return rc == MLREG_ENOTFOUND || rc == MLREG_EAUTH || rc == MLREG_EDENIED || rc == MLREG_ENET ||
           rc == MLREG_ETIMEDOUT || rc == MLREG_EPROTO || rc == MLREG_EDIGEST || rc == MLREG_ELIMIT ||
           rc == MLREG_ENOTSUP;
}

/* A list that has become too long is cut: it is for reading. */
static void note(mlr_walk *w, const char *why)
{
    (void)mlr_buf_printf(&w->tried, NULL, "%s%s: %.*s", w->tried.len > 0 ? "; " : "", host_of(w), REASON_MAX, why);
}

/* The last word, and behind it what the others had said. */
static void tell(const mlr_walk *w, mlreg_error *why)
{
    char *longer;

    if (why == NULL || why->code == MLREG_ENOMEM || w->tried.len == 0)
        return;
    if ((longer = mlr_asprintf("%s (tried before: %s)", why->message, w->tried.data)) == NULL)
        return;
    mlr_free(why->message);
    why->message = longer;
}

bool mlr_walk_on(mlr_walk *w, int rc, mlr_op *op, mlreg_error **why)
{
    const char *text = *why != NULL ? (*why)->message : mlreg_strerror(rc);
    int         level = w->is_away ? MLREG_LOG_DEBUG : MLREG_LOG_INFO;

    if (is_last(w) || !is_worth_another(rc) || mlr_op_cancelled(op)) {
        tell(w, *why);
        return false;
    }
    mlr_client_log(w->g->client, op, level, "%s from %s: %s: trying the next", w->what, host_of(w), text);
    note(w, text);
    if (!w->is_away && (rc == MLREG_ENET || rc == MLREG_ETIMEDOUT))
        mlr_mirrored_away(w->g, source(w));
    mlr_error_done(*why);
    *why = NULL;
    w->at++;
    return true;
}

void mlr_walk_skip(mlr_walk *w, size_t n, const char *why)
{
    for (; w->at < n && !is_last(w); w->at++)
        note(w, why);
}

/* ---- manifests ---- */

/* What comes must be a manifest, and the right one, or the next is asked. */
static int check(const mlr_ref *r, const mlr_buf *bytes, const char *media_type, mlreg_error **err)
{
    mlr_manifest *m = NULL;
    mlr_digest    got;
    int           rc;

    mlr_digest_of(bytes->data, bytes->len, &got);
    if ((r->digest.text[0] != '\0' && (rc = mlr_digest_check(&got, &r->digest, "manifest", err)) < 0) ||
        (rc = mlr_manifest_parse(bytes->data, bytes->len, media_type, &m, err)) < 0)
        return rc;
    mlr_manifest_free(m);
    return 0;
}

static int read_here(mlr_walk *w, const mlr_ref *r, mlr_op *op, mlr_buf *out, char **media_type, mlreg_error **err)
{
    mlr_registry *place = NULL;
    const char   *repo = r->repo;
    mlr_ref       there = *r;
    int           rc = mlr_walk_here(w, &place, &repo, err);

    there.repo = (char *)repo;
    if (rc < 0 || (rc = mlr_registry_manifest_read(&place->place, &there, op, out, media_type, err)) < 0)
        return rc;
    return w->sources.n > 0 ? check(r, out, *media_type, err) : 0;
}

int mlr_mirrored_manifest_read(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_buf *out, char **media_type,
                               mlreg_error **err)
{
    char         word[256], what[300];
    mlreg_error *why = NULL;
    mlr_walk     w;
    int          rc;

    snprintf(word, sizeof word, "%s%s", r->digest.text[0] != '\0' ? "@" : ":", mlr_ref_word(r));
    snprintf(what, sizeof what, "manifest %s", mlr_ref_word(r));
    if ((rc = mlr_walk_begin(&w, (mlr_registry *)p, r->repo, word, what, err)) < 0)
        return rc;
    do {
        mlr_free(*media_type);
        *media_type = NULL;
        mlr_buf_clear(out);
        rc = read_here(&w, r, op, out, media_type, &why);
    } while (rc < 0 && mlr_walk_on(&w, rc, op, &why));
    mlr_error_move(err, &why);
    mlr_walk_done(&w);
    return rc;
}
