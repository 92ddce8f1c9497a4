/* base/inside.h - a folder that serves as a root: paths in it lead through links, absolute ones too, and never out of it. */
#ifndef MLR_BASE_INSIDE_H
#define MLR_BASE_INSIDE_H
#include <mlreg.h>
#include <stdbool.h>
#include <sys/stat.h>

#define MLR_INSIDE_DEPTH_MAX 200     /* folders below each other: removing holds a descriptor for each */

/* For a tree that nobody else writes to. `path` is of mlr_beneath_check_form, but for "": the root itself. Opens the folder that holds it, links
 * resolved as chroot would, and gives the last component, a pointer into `path`, which may be a link. What is missing on the way is made (0755)
 * or ENOTFOUND. EPROTO: through a file, or links without end; ELIMIT: too deep. */
int mlr_inside_parent(int root, const char *path, bool make, int *dir, const char **last, mlreg_error **err);

/* The calls below take one name in an open folder and follow no link; `path` is for messages. */
int mlr_inside_stat(int dir, const char *name, const char *path, struct stat *out, mlreg_error **err);  /* 1; 0: it is not there */
int mlr_inside_open_dir(int dir, const char *name, const char *path, int *fd, mlreg_error **err);
int mlr_inside_make_dir(int dir, const char *name, const char *path, mlreg_error **err);      /* 0700 for now; a folder that is there stays */
int mlr_inside_make_file(int dir, const char *name, const char *path, int *fd, mlreg_error **err);  /* 0600 for now */
int mlr_inside_make_fifo(int dir, const char *name, const char *path, mlreg_error **err);
int mlr_inside_make_symlink(int dir, const char *name, const char *target, const char *path, mlreg_error **err);
int mlr_inside_make_link(int from_dir, const char *from, int dir, const char *name, const char *path, mlreg_error **err);
int mlr_inside_rename(int from_dir, const char *from, int dir, const char *name, const char *path, mlreg_error **err);   /* over an empty folder, too */
int mlr_inside_sync(int dir, const char *path, mlreg_error **err);                            /* the file system that it is on */

/* Removes `name` and all below it but what is to be kept, and the folders of that. `keep` NULL: nothing is. */
typedef bool (*mlr_inside_keep)(const struct stat *dir, const char *name, void *user);
int mlr_inside_remove(int dir, const char *name, const char *path, mlr_inside_keep keep, void *user, mlreg_error **err);
int mlr_inside_remove_empty(int dir, const char *name, const char *path, mlreg_error **err);   /* a folder; one that is not empty stays */
int mlr_inside_empty(int dir, const char *path, mlr_inside_keep keep, void *user, mlreg_error **err);     /* all in it likewise */

/* Owner, mode and time, in the order that keeps set-uid bits. */
typedef struct mlr_inside_marks { unsigned mode; int64_t mtime_s; bool owned; uint32_t uid, gid; } mlr_inside_marks;
int mlr_inside_mark_fd(int fd, const mlr_inside_marks *m, const char *path, mlreg_error **err);
int mlr_inside_mark_name(int dir, const char *name, const mlr_inside_marks *m, const char *path, mlreg_error **err);   /* a link, a FIFO */
#endif
