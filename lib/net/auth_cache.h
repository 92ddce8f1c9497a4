/* net/auth_cache.h - what goes with the requests of each scope, while it is good. */
#ifndef MLR_NET_AUTH_CACHE_H
#define MLR_NET_AUTH_CACHE_H
#include <mlreg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MLR_AUTH_CACHE_MAX 256             /* scopes; past it the one nearest its end goes */

typedef struct mlr_auth_entry {
    char    *scope;                        /* a set, of mlr_scope_union: the key */
    char    *asked;                        /* what was asked for: that, and what the registry stated beside it */
    char    *realm, *service;              /* of the token server; NULL: none, these are the credentials themselves */
    char    *header;                       /* "Bearer …", "Basic …"; "": nothing helps, for a while */
    uint64_t got_ms, renew_ms;             /* by mlr_clock_ms; UINT64_MAX: never */
    unsigned uses;                         /* how often it was handed out */
    unsigned tries;                        /* how many before it were refused while young */
} mlr_auth_entry;
void mlr_auth_entry_done(mlr_auth_entry *e);   /* wipes */

typedef struct mlr_auth_cache { mlr_auth_entry *items; size_t n, cap; } mlr_auth_cache;   /* all zero is empty; locked by its owner */
mlr_auth_entry *mlr_auth_cache_find(mlr_auth_cache *c, const char *scope);   /* good until the next call of put or clear */
int  mlr_auth_cache_put(mlr_auth_cache *c, mlr_auth_entry *e, mlreg_error **err);   /* takes *e, on success only, in place of an older one of its scope */
void mlr_auth_cache_clear(mlr_auth_cache *c);
#endif
