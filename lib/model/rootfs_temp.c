/* model/rootfs_temp.c - the folder that an image is unpacked into: locked while its process lives, removed by a later one if that was killed. */
#include "model/rootfs_parts.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/lock.h"

#define LOCKED      ".mlreg-unpack-"     /* has been locked by whoever made it: who can lock it now finds him dead */
#define FRESH       ".mlreg-fresh-"      /* not yet, for a moment: nobody touches it */
#define ENTRIES_MAX ((size_t)100000)     /* of the folder that holds it; beyond, nothing is looked for */

static void make_name(const char *prefix, char name[MLR_ROOTFS_TEMP_BYTES])
{
    char random[17];

    mlr_random_name(random);
    snprintf(name, MLR_ROOTFS_TEMP_BYTES, "%s%s", prefix, random);
}

/* ---- what dead ones left ---- */

/* Locked, and still under its name. */
static bool is_abandoned(int parent, const char *name, const char *shown, int fd)
{
    struct stat opened, named;

    return mlr_lock_try_dir(fd, shown, NULL) == 1 && mlr_fs_stat_fd(fd, shown, &opened, NULL) == 0 && opened.st_uid == geteuid() &&
           mlr_inside_stat(parent, name, shown, &named, NULL) == 1 && named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

static void remove_if_abandoned(int parent, const char *name, const char *shown)
{
    int fd = -1;

    if (mlr_inside_open_dir(parent, name, shown, &fd, NULL) == 0 && is_abandoned(parent, name, shown, fd))
        mlr_inside_remove(parent, name, shown, NULL, NULL, NULL);
    mlr_fs_close(fd);
}

/* Whatever goes wrong here is no reason not to unpack. */
static void sweep(int parent, const char *shown)
{
    mlr_dir_list l = { 0 };

    if (mlr_fs_is_network_fd(parent, shown) || mlr_fs_list(parent, shown, ENTRIES_MAX, &l, NULL) < 0)
        return;
    for (size_t i = 0; i < l.n; i++)
        if (l.items[i].type == DT_DIR && strncmp(l.items[i].name, LOCKED, strlen(LOCKED)) == 0)
            remove_if_abandoned(parent, l.items[i].name, shown);
    mlr_dir_list_done(&l);
}

/* ---- one's own ---- */

static int lock_and_name(int parent, const char *fresh, char name[MLR_ROOTFS_TEMP_BYTES], const char *shown, int fd, mlreg_error **err)
{
    int rc = mlr_lock_try_dir(fd, shown, err);

    make_name(LOCKED, name);
    return rc < 0 ? rc : mlr_inside_rename(parent, fresh, parent, name, shown, err);
}

int mlr_rootfs_temp_make(int parent, const char *shown, char name[MLR_ROOTFS_TEMP_BYTES], int *fd, mlreg_error **err)
{
    char fresh[MLR_ROOTFS_TEMP_BYTES];
    int rc;

    sweep(parent, shown);
    make_name(FRESH, fresh);
    if ((rc = mlr_inside_make_dir(parent, fresh, shown, err)) < 0)
        return rc;
    if ((rc = mlr_inside_open_dir(parent, fresh, shown, fd, err)) == 0)
        rc = lock_and_name(parent, fresh, name, shown, *fd, err);
    if (rc < 0) {
        mlr_inside_remove(parent, fresh, shown, NULL, NULL, NULL);
        name[0] = '\0';
    }
    return rc;
}
