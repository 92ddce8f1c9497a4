/* place/registry_tags.c - the tags of a repository and the repositories of a registry, page by page. */
#include "place/registry.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "place/nameset.h"
#include "place/registry_pages.h"

#define PAGE_NAMES      1000     /* asked for at a time; larger numbers are refused by some */
#define PAGE_NAMES_TEXT "1000"
#define NAMES_MAX       500000

/* One listing on its way: what its pages hold and how a name must look. */
typedef struct listing {
    const char *member;
    int (*check)(const char *name, mlreg_error **err);
    mlr_nameset seen;
    mlr_list   *out;
} listing;

static int check_repository(const char *name, mlreg_error **err)
{
    return mlr_ref_check_repo(name, false, err);
}

static int add_name(listing *l, const char *name, const char *what, mlreg_error **err)
{
    int rc;

    if (name == NULL || l->check(name, NULL) < 0)
        return mlr_error_set(err, MLREG_EPROTO, "the %s hold '%.200s', which is no name", what,
                             name != NULL ? name : "(no text)");
    if (mlr_nameset_has(&l->seen, name))
        return 0;
    if (l->out->n == NAMES_MAX)
        return mlr_error_set(err, MLREG_ELIMIT, "the %s are more than %d", what, NAMES_MAX);
    if ((rc = mlr_list_add(l->out, name, NULL, err)) < 0)
        return rc;
    return mlr_nameset_put(&l->seen, l->out->items[l->out->n - 1].name, err);
}

/* Adds a page's names. *n says how many stand in it, *last names the last of them (the page's). */
static int add_page(listing *l, const mlr_json *page, const char *what, size_t *n, const char **last, mlreg_error **err)
{
    const mlr_json *names = mlr_json_get(page, l->member);
    mlr_json_type   type = mlr_json_type_of(names);
    int             rc = 0;

    *n = mlr_json_count(names);
    if (mlr_json_type_of(page) != MLR_JSON_OBJECT ||
        (type != MLR_JSON_ARRAY && type != MLR_JSON_NULL && type != MLR_JSON_MISSING))
        return mlr_error_set(err, MLREG_EPROTO, "the %s came as something that is no list", what);
    for (const mlr_json *v = mlr_json_first(names); v != NULL && rc == 0; v = mlr_json_next(v)) {
        *last = mlr_json_string(v);
        rc = add_name(l, *last, what, err);
    }
    return rc;
}

/* Reads all pages. A page that brings nothing new is the last, whatever the registry says: some know no `last`, or
 * begin again behind the end, and would be asked for ever. */
static int read_pages(listing *l, mlr_pages *pages, mlr_op *op, mlreg_error **err)
{
    mlr_json *page = NULL;
    bool      more = true;
    int       rc = 0;

    while (more && (rc = mlr_pages_next(pages, op, &page, err)) > 0) {
        size_t      before = l->out->n, n = 0;
        const char *last = NULL;

        rc = add_page(l, page, pages->ask->what, &n, &last, err);
        more = rc == 0 && l->out->n > before;
        if (more && pages->next == NULL && n >= PAGE_NAMES)
            rc = mlr_pages_after(pages, last, err);
        mlr_json_free(page);
        if (rc < 0)
            break;
    }
    mlr_nameset_done(&l->seen);
    mlr_pages_done(pages);
    return rc < 0 ? rc : 0;
}

int mlr_registry_tags(mlr_place *p, const char *repo, mlr_op *op, mlr_list *out, mlreg_error **err)
{
    mlr_registry *g = (mlr_registry *)p;
    listing       l = {"tags", mlr_ref_check_tag, {NULL, 0, 0, 0}, out};
    mlr_ask       ask;
    mlr_pages     pages = {g, &ask, NULL, 0, 0};
    int           rc;

    if ((rc = mlr_ask_init(&ask, g, "GET", repo, "tags/list", NULL, MLR_MAY_PULL, err)) == 0 &&
        (rc = mlr_ask_query(&ask, "n", PAGE_NAMES_TEXT, err)) == 0)
        rc = read_pages(&l, &pages, op, err);
    mlr_ask_done(&ask);
    return rc;
}

static bool has_no_catalogue(int rc, int status)
{
    return rc == MLREG_EAUTH || status == 401 || status == 403 || status == 404 || status == 405 || status == 501;
}

static int ask_for_catalogue(mlr_ask *a, mlreg_error **err)
{
    memset(a, 0, sizeof *a);
    a->url = mlr_strdup("/v2/_catalog?n=" PAGE_NAMES_TEXT);
    a->scope = mlr_strdup("registry:catalog:*");
    if (a->url == NULL || a->scope == NULL)
        return mlr_error_nomem(err);
    snprintf(a->what, sizeof a->what, "repositories");
    a->call.request = (mlr_request){.method = "GET", .url = a->url, .headers = a->headers};
    a->call.scope = a->scope;
    a->call.again = a->call.follow = true;
    return 0;
}

int mlr_registry_repositories(mlr_place *p, mlr_op *op, mlr_list *out, mlreg_error **err)
{
    mlr_registry *g = (mlr_registry *)p;
    listing       l = {"repositories", check_repository, {NULL, 0, 0, 0}, out};
    mlr_ask       ask;
    mlr_pages     pages = {g, &ask, NULL, 0, 0};
    mlreg_error  *why = NULL;
    int           rc = ask_for_catalogue(&ask, err);

    if (rc < 0)
        goto out;
    rc = read_pages(&l, &pages, op, &why);
    if (rc < 0 && pages.n == 0 && has_no_catalogue(rc, pages.status)) {
        rc = mlr_error_set(err, MLREG_ENOTSUP, "%s does not tell its repositories", p->name);
        mlr_error_hint(err, rc, "many registries have no catalogue, or one for administrators only: "
                                "name the repository yourself");
        mlr_error_http(err, rc, pages.status, NULL);
    } else if (rc < 0) {
        mlr_error_move(err, &why);
    }
out:
    mlr_error_done(why);
    mlr_ask_done(&ask);
    return rc;
}
