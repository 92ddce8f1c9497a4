/* place/partial_gc.c - blobs in the making as gc sees them: files in a directory, whose they are, and how they go. */
#include "place/partial_parts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

bool mlr_partial_is_part(const char *name, mlr_digest *out)
{
    static const char endings[][16] = { "", MLR_PARTIAL_LOCK_EXT, MLR_PARTIAL_JOURNAL_EXT, MLR_PARTIAL_JOURNAL_EXT MLR_PARTIAL_NEW_EXT };
    char              text[MLR_DIGEST_TEXT + 1] = "sha256:";
    bool              known = false;

    if (strlen(name) < MLR_DIGEST_HEX)
        return false;
    memcpy(text + strlen(text), name, MLR_DIGEST_HEX);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        known = known || strcmp(name + MLR_DIGEST_HEX, endings[i]) == 0;
    return known && mlr_digest_parse(text, out, NULL) == 0;
}

bool mlr_partial_is_lock_alone(const char *dir, const char *name)
{
    char       *path = mlr_asprintf("%s/%.*s", dir, MLR_DIGEST_HEX, name);
    struct stat st;
    bool        alone = strcmp(name + MLR_DIGEST_HEX, MLR_PARTIAL_LOCK_EXT) == 0 && path != NULL && mlr_fs_stat(path, &st, NULL) == MLREG_ENOTFOUND;

    mlr_free(path);
    return alone;
}

int mlr_partial_remove(const char *dir, const mlr_digest *d, mlr_op *op, mlreg_error **err)
{
    mlreg_error *why = NULL;
    mlr_partial *p = NULL;
    int          rc = mlr_partial_lock_within(dir, d, 0, 0, op, &p, &why);

    if (rc == 0) {
        mlr_partial_spoil(p);
        mlr_partial_free(p);
    } else if (rc != MLREG_EBUSY) {
        mlr_error_move(err, &why);
    }
    mlr_error_done(why);
    return rc == MLREG_EBUSY ? 0 : rc < 0 ? rc : 1;
}
