/* net/auth_cache.c - what goes with the requests of each scope, while it is good. */
#include "net/auth_cache.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "net/creds.h"

void mlr_auth_entry_done(mlr_auth_entry *e)
{
    mlr_creds_wipe(e->header);
    mlr_free(e->scope);
    mlr_free(e->asked);
    mlr_free(e->realm);
    mlr_free(e->service);
    *e = (mlr_auth_entry){0};
}

mlr_auth_entry *mlr_auth_cache_find(mlr_auth_cache *c, const char *scope)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->items[i].scope, scope) == 0)
            return &c->items[i];
    return NULL;
}

static mlr_auth_entry *nearest_its_end(mlr_auth_cache *c)
{
    mlr_auth_entry *found = &c->items[0];

    for (size_t i = 1; i < c->n; i++)
        if (c->items[i].renew_ms < found->renew_ms)
            found = &c->items[i];
    return found;
}

int mlr_auth_cache_put(mlr_auth_cache *c, mlr_auth_entry *e, mlreg_error **err)
{
    mlr_auth_entry *place = mlr_auth_cache_find(c, e->scope);

    if (place == NULL && c->n == MLR_AUTH_CACHE_MAX)
        place = nearest_its_end(c);
    if (place == NULL) {
        if (mlr_grow(&c->items, &c->cap, c->n, sizeof *c->items) < 0)
            return mlr_error_nomem(err);
        place = &c->items[c->n++];
    } else {
        mlr_auth_entry_done(place);
    }
    *place = *e;
    *e = (mlr_auth_entry){0};                              /* moved */
    return 0;
}

void mlr_auth_cache_clear(mlr_auth_cache *c)
{
    for (size_t i = 0; i < c->n; i++)
        mlr_auth_entry_done(&c->items[i]);
    mlr_free(c->items);
    *c = (mlr_auth_cache){0};
}
