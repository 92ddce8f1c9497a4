/* model/rootfs_settle.c - whether a layer decides alone what lies at a path: then those below it have nothing to say. */
#include "model/rootfs_parts.h"

#include <string.h>

struct looking {
    const char *only;
    bool folder, opaque;         /* the path itself; all below it that earlier layers have is gone */
    bool settled;
    bool linked;                 /* hard, and what to may be an earlier layer's */
};

/* `path` is gone, and all below it: for the path that is looked for, or one that leads to it. */
static void white_out(struct looking *x, char *path, char *name)
{
    if (strcmp(name, MLR_OPAQUE) == 0) {
        name[name > path ? -1 : 0] = '\0';
        x->opaque = x->opaque || strcmp(path, x->only) == 0;
        x->settled = x->settled || (strcmp(path, x->only) != 0 && mlr_rootfs_is_below(x->only, path));
    } else if (strncmp(name + MLR_WHITEOUT_LEN, MLR_WHITEOUT, MLR_WHITEOUT_LEN) != 0) {      /* aufs' own notes */
        memmove(name, name + MLR_WHITEOUT_LEN, strlen(name + MLR_WHITEOUT_LEN) + 1);
        x->settled = x->settled || (name[0] != '\0' && mlr_rootfs_is_below(x->only, path));
    }
}

static int look_at(struct looking *x, const mlr_member *m, mlreg_error **err)
{
    mlr_rootfs_name path;
    char *slash, *name;
    int rc = mlr_rootfs_clean(m->name, &path, err);

    if (rc < 0)
        return rc;
    slash = strrchr(path.text, '/');
    name = slash != NULL ? slash + 1 : path.text;
    if (strncmp(name, MLR_WHITEOUT, MLR_WHITEOUT_LEN) == 0)
        white_out(x, path.text, name);
    else if (m->kind == MLR_MEMBER_DIR)
        x->folder = x->folder || strcmp(path.text, x->only) == 0;
    else if (m->kind == MLR_MEMBER_HARDLINK)
        x->linked = x->linked || mlr_rootfs_is_below(path.text, x->only) || mlr_rootfs_is_below(x->only, path.text);
    else if (m->kind != MLR_MEMBER_OTHER || m->is_fifo)      /* a device is left out, and what is below it stays */
        x->settled = x->settled || (path.text[0] != '\0' && mlr_rootfs_is_below(x->only, path.text));
    return 0;
}

int mlr_rootfs_settles(const mlr_rootfs_work *w, mlr_reader *bytes, mlreg_error **err)
{
    const mlr_archive_limits limits = { .bytes = w->bytes_left, .members = w->members_left };
    struct looking x = { .only = w->only.text };
    mlr_archive *a = NULL;
    mlr_member m;
    int rc = mlr_archive_open(bytes, &limits, w->op, &a, err);

    while (rc >= 0 && (rc = mlr_archive_next(a, &m, err)) == 1)
        rc = look_at(&x, &m, err);
    mlr_archive_free(a);
    return rc < 0 ? rc : !x.linked && (x.settled || (x.folder && x.opaque));
}
