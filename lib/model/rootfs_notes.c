/* model/rootfs_notes.c - what is kept in mind while an image's layers are unpacked. */
#include "model/rootfs_parts.h"

#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "codec/xxh.h"

/* ---- folders ---- */

int mlr_rootfs_note_add(mlr_rootfs_notes *s, const char *path, uint64_t inode, const mlr_inside_marks *marks, mlreg_error **err)
{
    const size_t bytes = strlen(path) + 1;
    char *copy;

    if (bytes > MLR_ROOTFS_NOTES_MAX_BYTES - s->bytes)
        return mlr_error_set(err, MLREG_ELIMIT, "the image has over %zu MiB of names of folders", MLR_ROOTFS_NOTES_MAX_BYTES >> 20);
    copy = mlr_strdup(path);
    if (copy == NULL || mlr_grow(&s->items, &s->cap, s->n, sizeof *s->items) < 0) {
        mlr_free(copy);
        return mlr_error_nomem(err);
    }
    s->items[s->n] = (mlr_rootfs_note){ copy, inode, s->n, *marks };
    s->n++;
    s->bytes += bytes;
    return 0;
}

static int by_inode(const void *a, const void *b)
{
    const mlr_rootfs_note *x = a, *y = b;

    return x->inode != y->inode ? (x->inode > y->inode) - (x->inode < y->inode) : (x->turn > y->turn) - (x->turn < y->turn);
}

/* Of one folder the last word counts, under whichever of its names it was said: links lead to it too. */
static void agree(mlr_rootfs_notes *s)
{
    qsort(s->items, s->n, sizeof *s->items, by_inode);
    for (size_t i = s->n - 1; i-- > 0;)
        if (s->items[i].inode == s->items[i + 1].inode)
            s->items[i].marks = s->items[i + 1].marks;
}

/* For a folder that is closed keeps what is in it. */
static int deeper_first(const void *a, const void *b)
{
    const mlr_rootfs_note *x = a, *y = b;

    return strcmp(y->path, x->path);
}

/* A later layer may have removed the folder, or have put another in its place. */
static int apply(const mlr_rootfs_note *note, int root, mlreg_error **err)
{
    mlreg_error *why = NULL;
    const char *last;
    struct stat st;
    int dir = -1, fd = -1, rc = mlr_inside_parent(root, note->path, false, &dir, &last, &why);

    if (rc == 0)
        rc = mlr_inside_stat(dir, last[0] != '\0' ? last : ".", note->path, &st, &why);
    if (rc == 1 && S_ISDIR(st.st_mode) && st.st_ino == note->inode &&
        (rc = mlr_inside_open_dir(dir, last[0] != '\0' ? last : ".", note->path, &fd, &why)) == 0)
        rc = mlr_inside_mark_fd(fd, &note->marks, note->path, &why);
    mlr_fs_close(fd);
    mlr_fs_close(dir);
    if (rc >= 0 || rc == MLREG_ENOTFOUND || rc == MLREG_EPROTO) {
        mlr_error_done(why);
        return 0;
    }
    mlr_error_move(err, &why);
    return rc;
}

int mlr_rootfs_notes_apply(mlr_rootfs_notes *s, int root, mlreg_error **err)
{
    int rc = 0;

    if (s->n > 0) {
        agree(s);
        qsort(s->items, s->n, sizeof *s->items, deeper_first);
    }
    for (size_t i = 0; i < s->n && rc == 0; i++)
        rc = apply(&s->items[i], root, err);
    return rc;
}

void mlr_rootfs_notes_done(mlr_rootfs_notes *s)
{
    for (size_t i = 0; i < s->n; i++)
        mlr_free(s->items[i].path);
    mlr_free(s->items);
    *s = (mlr_rootfs_notes){ 0 };
}

/* ---- a layer's own entries: sums of their names, none of which is 0 ---- */

static uint64_t sum_of(uint64_t dir_inode, const char *name)
{
    uint64_t sum = mlr_xxh3_join(dir_inode, mlr_xxh3(name, strlen(name)));

    return sum != 0 ? sum : 1;
}

static uint64_t *slot_of(uint64_t *slots, size_t cap, uint64_t sum)
{
    size_t i = (size_t)sum & (cap - 1);

    while (slots[i] != 0 && slots[i] != sum)
        i = (i + 1) & (cap - 1);
    return &slots[i];
}

static int widen(mlr_rootfs_own *s, mlreg_error **err)
{
    size_t cap = s->cap > 0 ? 2 * s->cap : 256;
    uint64_t *slots = mlr_alloc_array(cap, sizeof *slots);

    if (slots == NULL)
        return mlr_error_nomem(err);
    for (size_t i = 0; i < s->cap; i++)
        if (s->slots[i] != 0)
            *slot_of(slots, cap, s->slots[i]) = s->slots[i];
    mlr_free(s->slots);
    s->slots = slots;
    s->cap = cap;
    return 0;
}

int mlr_rootfs_own_put(mlr_rootfs_own *s, uint64_t dir_inode, const char *name, mlreg_error **err)
{
    uint64_t sum = sum_of(dir_inode, name), *slot;
    int rc;

    if (2 * s->n >= s->cap && (rc = widen(s, err)) < 0)
        return rc;
    slot = slot_of(s->slots, s->cap, sum);
    s->n += *slot == 0;
    *slot = sum;
    return 0;
}

bool mlr_rootfs_own_has(const mlr_rootfs_own *s, uint64_t dir_inode, const char *name)
{
    return s->cap > 0 && *slot_of(s->slots, s->cap, sum_of(dir_inode, name)) != 0;
}

void mlr_rootfs_own_done(mlr_rootfs_own *s)
{
    mlr_free(s->slots);
    *s = (mlr_rootfs_own){ 0 };
}
