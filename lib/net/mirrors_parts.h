/* net/mirrors_parts.h - what registries.conf is read into; for mirrors*.c alone. */
#ifndef MLR_NET_MIRRORS_PARTS_H
#define MLR_NET_MIRRORS_PARTS_H
#include "net/mirrors.h"

typedef enum mlr_mirror_use { MLR_MIRROR_ALL = 0, MLR_MIRROR_DIGESTS, MLR_MIRROR_TAGS } mlr_mirror_use;
typedef struct mlr_mirror {
    char *location;                    /* "mirror.example:5000/cache" */
    bool insecure;
    mlr_mirror_use use;
} mlr_mirror;
/* One [[registry]]. */
typedef struct mlr_mirrors_entry {
    char *prefix;                      /* "host", "host/team", "host/team/x:tag", "*.host…"; never NULL once checked */
    char *location;                    /* what stands in the prefix's place; NULL: the prefix itself */
    bool insecure, blocked;
    mlr_mirror *mirrors;
    size_t n, cap;
    char *file;
    size_t file_at;                    /* of the first entry of that file, among all */
    unsigned line;
} mlr_mirrors_entry;
struct mlr_mirrors {
    mlr_mirrors_entry *items;          /* as read: of one prefix the last file's first stands */
    size_t n, cap;
};

/* mirrors_read.c: adds what the text of a file says. */
int  mlr_mirrors_read(mlr_mirrors *m, const char *file, const char *text, size_t len, mlreg_error **err);
/* mirrors_check.c: completes an entry, or EPROTO. */
int  mlr_mirrors_check(mlr_mirrors_entry *e, mlreg_error **err);
/* The entries of one file: EPROTO if two of one location disagree on whether it is blocked or insecure. */
int  mlr_mirrors_check_file(const mlr_mirrors_entry *items, size_t n, mlreg_error **err);
void mlr_mirrors_entry_done(mlr_mirrors_entry *e);
#endif
