/* model/tarlayer_parents.c - the folders that lead to what a layer holds: named where they may be, left out where a link of the base is in their place. */
#include "model/tarlayer_parts.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"

/* Links to /usr in the usual base: a folder of this name would take the link's place, and all that is in it would be gone. */
static bool may_be_link(const char *top, size_t len)
{
    static const char merged[][7] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32" };

    for (size_t i = 0; i < sizeof merged / sizeof *merged; i++)
        if (strlen(merged[i]) == len && memcmp(merged[i], top, len) == 0)
            return true;
    return false;
}

static int put_implied(mlr_tarlayer *t, const char *name, size_t len, mlreg_error **err)
{
    char *parent = mlr_strndup(name, len);
    int rc = parent != NULL ? mlr_tarlayer_put_folder(t, parent, 0755, err) : mlr_error_nomem(err);

    if (rc == 0)
        t->items[t->n - 1].implied = true;
    mlr_free(parent);
    return rc;
}

/* They are named because some unpackers give a folder that nobody named a mode that only root can enter. */
int mlr_tarlayer_put_parents(mlr_tarlayer *t, const char *name, bool itself, mlreg_error **err)
{
    const bool is_linked = may_be_link(name, strcspn(name, "/"));
    const char *slash = strchr(name, '/');
    int rc = 0;

    for (const char *end = is_linked ? NULL : slash; end != NULL && rc == 0; end = strchr(end + 1, '/'))
        rc = put_implied(t, name, (size_t)(end - name), err);
    return rc == 0 && itself && (slash != NULL || !is_linked) ? put_implied(t, name, strlen(name), err) : rc;
}

int mlr_tarlayer_settle(mlr_tarlayer *t, mlr_tarlayer_ask ask, void *user, mlreg_error **err)
{
    size_t n = 0;
    int rc = 0;

    for (size_t i = 0; i < t->n; i++) {
        if (rc >= 0)
            rc = ask(user, &t->items[i].m, t->items[i].implied, err);
        if (rc == 1)
            mlr_tarlayer_item_done(&t->items[i]);
        else
            t->items[n++] = t->items[i];
    }
    if (rc < 0 || n == t->n)
        return rc < 0 ? rc : 0;
    t->n = n;
    return mlr_tarlayer_plan(t, err);
}
