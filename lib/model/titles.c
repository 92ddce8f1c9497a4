/* model/titles.c - the file paths of one artifact: each safe, and none in the way of another. */
#include "model/titles.h"

#include <stdlib.h>
#include "base/alloc.h"
#include "base/beneath.h"
#include "base/error.h"
#include "place/partdir.h"

static char *fold(const char *path)
{
    char *f = mlr_strdup(path);

    for (char *c = f; f != NULL && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return f;
}

/* What lies there is believed in part, so no artifact may have written it. */
static int check_not_ours(const char *folded, const char *path, mlreg_error **err)
{
    size_t len = strlen(MLR_PARTDIR);
    int rc;

    if (strncmp(folded, MLR_PARTDIR, len) != 0 || (folded[len] != '\0' && folded[len] != '/'))
        return 0;
    rc = mlr_error_set(err, MLREG_EINVAL, "\"%s\" lies where downloads are kept that broke off", path);
    mlr_error_subject(err, rc, path);
    return mlr_error_hint(err, rc, "the file has to be renamed where it comes from");
}

static int check_room(const mlr_titles *t, size_t n, size_t bytes, mlreg_error **err)
{
    if (n > MLR_TITLES_MAX - t->n)
        return mlr_error_set(err, MLREG_ELIMIT, "over %d files in one artifact", MLR_TITLES_MAX);
    if (bytes > MLR_TITLES_MAX_BYTES - t->bytes)
        return mlr_error_set(err, MLREG_ELIMIT, "over %zu MiB of file names in one artifact", MLR_TITLES_MAX_BYTES >> 20);
    return 0;
}

static int add(mlr_titles *t, const char *path, bool is_folder, mlreg_error **err)
{
    mlr_title x = { .is_folder = is_folder };
    int rc = mlr_beneath_check_name(path, err);

    if (rc < 0 || (rc = check_room(t, 1, strlen(path), err)) < 0)
        return rc;
    if (t->n == t->cap && mlr_grow(&t->items, &t->cap, t->n, sizeof *t->items) < 0)
        return mlr_error_nomem(err);
    x.shown = mlr_strdup(path);
    x.folded = fold(path);
    rc = x.shown != NULL && x.folded != NULL ? check_not_ours(x.folded, path, err) : mlr_error_nomem(err);
    if (rc == 0) {
        t->items[t->n++] = x;
        t->bytes += strlen(path);
        return 0;
    }
    mlr_free(x.shown);
    mlr_free(x.folded);
    return rc;
}

int mlr_titles_add(mlr_titles *t, const char *path, mlreg_error **err)
{
    return add(t, path, false, err);
}

int mlr_titles_add_folder(mlr_titles *t, const char *path, mlreg_error **err)
{
    return add(t, path, true, err);
}

int mlr_titles_move(mlr_titles *t, mlr_titles *from, mlreg_error **err)
{
    mlr_title *all;
    int rc;

    if (from->n == 0)
        return 0;
    if ((rc = check_room(t, from->n, from->bytes, err)) < 0)
        return rc;
    if ((all = mlr_realloc_array(t->items, t->n + from->n, sizeof *all)) == NULL)
        return mlr_error_nomem(err);
    memcpy(all + t->n, from->items, from->n * sizeof *all);
    *t = (mlr_titles){ all, t->n + from->n, t->n + from->n, t->bytes + from->bytes };
    mlr_free(from->items);
    *from = (mlr_titles){ 0 };
    return 0;
}

/* '/' sorts before every other character, so what is below a path follows the path itself at once. Of one path the folders
 * come first: the file behind them stands next to what is below it. */
static int rank(unsigned char c)
{
    return c == '\0' ? 0 : c == '/' ? 1 : c + 1;
}

static int by_path(const void *a, const void *b)
{
    const char *x = ((const mlr_title *)a)->folded, *y = ((const mlr_title *)b)->folded;

    while (*x == *y && *x)
        x++, y++;
    if (*x != *y)
        return rank((unsigned char)*x) - rank((unsigned char)*y);
    return ((const mlr_title *)b)->is_folder - ((const mlr_title *)a)->is_folder;
}

static int clash(const char *first, const char *second, bool below, mlreg_error **err)
{
    int rc = below
        ? mlr_error_set(err, MLREG_EINVAL, "\"%s\" is a file, so \"%s\" cannot be below it", first, second)
        : mlr_error_set(err, MLREG_EINVAL, "\"%s\" and \"%s\" would be one file", first, second);

    mlr_error_subject(err, rc, second);
    return mlr_error_hint(err, rc, "rename one of the two; names must differ by more than upper and lower case");
}

int mlr_titles_check(mlr_titles *t, mlreg_error **err)
{
    if (t->n > 1)
        qsort(t->items, t->n, sizeof *t->items, by_path);
    for (size_t i = 1; i < t->n; i++) {
        const mlr_title *a = &t->items[i - 1], *b = &t->items[i];
        size_t len = strlen(a->folded);
        bool same = strcmp(a->folded, b->folded) == 0, below = strncmp(a->folded, b->folded, len) == 0 && b->folded[len] == '/';

        if ((same && !(a->is_folder && b->is_folder)) || (below && !a->is_folder))
            return clash(a->shown, b->shown, below, err);
    }
    return 0;
}

void mlr_titles_cut(mlr_titles *t, size_t n)
{
    while (t->n > n) {
        t->n--;
        t->bytes -= strlen(t->items[t->n].shown);
        mlr_free(t->items[t->n].shown);
        mlr_free(t->items[t->n].folded);
    }
}

void mlr_titles_done(mlr_titles *t)
{
    mlr_titles_cut(t, 0);
    mlr_free(t->items);
    *t = (mlr_titles){ 0 };
}
