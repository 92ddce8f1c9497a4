/* model/rootfs_paths.c - names in an image's file system, as layers and people write them. */
#include "model/rootfs_parts.h"

#include <string.h>
#include "base/error.h"

static int refuse(const char *written, const char *rule, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_EINVAL, "path \"%.200s\" %s", written, rule);

    mlr_error_subject(err, rc, written);
    return mlr_error_hint(err, rc, "a name in an image leads down from its root: the image has to be made again without it");
}

int mlr_rootfs_clean(const char *written, mlr_rootfs_name *out, mlreg_error **err)
{
    size_t used = 0;

    for (const char *at = written; *at != '\0';) {
        size_t len = strcspn(at, "/");

        if (len == 2 && at[0] == '.' && at[1] == '.')
            return refuse(written, "has a component \"..\"", err);
        if (len > 0 && !(len == 1 && at[0] == '.')) {
            if (len > MLR_BENEATH_NAME_MAX_BYTES)
                return refuse(written, "has a component of more than 255 bytes", err);
            if (used + 1 + len > MLR_BENEATH_PATH_MAX_BYTES)
                return refuse(written, "has more than 4096 bytes", err);
            if (used > 0)
                out->text[used++] = '/';
            memcpy(out->text + used, at, len);
            used += len;
        }
        at += len + (at[len] == '/');
    }
    out->text[used] = '\0';
    return 0;
}

bool mlr_rootfs_is_below(const char *name, const char *path)
{
    size_t len = strlen(path);

    return len == 0 || (strncmp(name, path, len) == 0 && (name[len] == '\0' || name[len] == '/'));
}

static int rank(unsigned char c)
{
    return c == '\0' ? 0 : c == '/' ? 1 : c + 1;
}

int mlr_rootfs_order(const char *a, const char *b)
{
    while (*a == *b && *a != '\0')
        a++, b++;
    return rank((unsigned char)*a) - rank((unsigned char)*b);
}
