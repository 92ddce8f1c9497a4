/* net/mirrors.h - where to read instead: what containers' registries.conf says of mirrors, other locations and blocks. */
#ifndef MLR_NET_MIRRORS_H
#define MLR_NET_MIRRORS_H
#include <mlreg.h>
#include <stdbool.h>
#include <stddef.h>

/* All that the files say, as they were when it was made; any thread. */
typedef struct mlr_mirrors mlr_mirrors;
/* From $CONTAINERS_REGISTRIES_CONF, else the user's registries.conf, else the system's; over it the drop-ins of
 * system and user. *out NULL: they say nothing. EPROTO names file and line of what is malformed; a file that cannot be
 * read is an error as well, for it may forbid something. */
int  mlr_mirrors_open(mlr_mirrors **out, mlreg_error **err);
void mlr_mirrors_free(mlr_mirrors *m);                         /* NULL is fine */

typedef struct mlr_source {
    char *url;                 /* "https://mirror.example:5000"; NULL: the registry itself, under its own name */
    char *repo;                /* as it is called there */
    bool plain_http;           /* the file allows it */
} mlr_source;
typedef struct mlr_sources { mlr_source *items; size_t n; } mlr_sources;
/* Where a repository of a registry may be read, in the order to be tried. `word` is ":tag", "@digest", or "" for its
 * blobs; tags are asked for only where pull-from-mirror allows it. None: nothing is said of it. EPOLICY:
 * blocked, which allow asks alone. */
int  mlr_mirrors_choose(const mlr_mirrors *m, const char *host, const char *repo, const char *word, mlr_sources *out,
        mlreg_error **err);
int  mlr_mirrors_allow(const mlr_mirrors *m, const char *host, const char *repo, const char *word, mlreg_error **err);
void mlr_sources_done(mlr_sources *s);
#endif
