/* place/repopath.c - repository names to paths and back. */
#include "place/repopath.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "place/ref.h"

#define PATH_MAX_BYTES (2 * MLR_NAME_MAX)

static bool is_layouts_own(const char *part, size_t len)
{
    static const char own[][11] = { "blobs", "oci-layout", "index.json" };
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (strlen(own[i]) == len && memcmp(part, own[i], len) == 0)
            return true;
    return false;
}

static int add_part(mlr_buf *b, const char *part, size_t len, mlreg_error **err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < len; i++)
        rc = mlr_buf_add(b, part[i] == ':' ? "+" : part + i, 1, err);
    return rc == 0 && is_layouts_own(part, len) ? mlr_buf_puts(b, "+", err) : rc;
}

int mlr_repopath_make(const char *repo, char **out, mlreg_error **err)
{
    mlr_buf b = MLR_BUF_INIT(PATH_MAX_BYTES);
    char   *path;
    int     rc = 0;

    for (const char *part = repo; rc == 0; part++) {
        size_t len = strcspn(part, "/");
        rc = add_part(&b, part, len, err);
        part += len;
        if (*part == 0)
            break;
        if (rc == 0)
            rc = mlr_buf_puts(&b, "/", err);
    }
    if (rc == 0 && (path = mlr_buf_take(&b)) == NULL)
        rc = mlr_error_nomem(err);
    else if (rc == 0)
        *out = path;
    mlr_buf_done(&b);
    return rc;
}

/* Undoes make without asking whether make could have made it. In place: names never grow. */
static void unmake(char *path)
{
    char *to = path;
    for (char *from = path; *from != 0; from++) {
        if (*from == '+' && (from[1] == '/' || from[1] == 0))
            continue;
        *to++ = *from == '+' ? ':' : *from;
    }
    *to = 0;
}

int mlr_repopath_read(const char *path, char **repo, mlreg_error **err)
{
    char *name = mlr_strdup(path), *again = NULL;
    int   rc;

    if (name == NULL)
        return mlr_error_nomem(err);
    unmake(name);
    if (mlr_ref_check_repo(name, true, NULL) < 0)
        rc = 0;
    else if ((rc = mlr_repopath_make(name, &again, err)) == 0)
        rc = strcmp(again, path) == 0;
    if (rc == 1) {
        *repo = name;
        name = NULL;
    }
    mlr_free(again);
    mlr_free(name);
    return rc;
}
