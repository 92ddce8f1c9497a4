/* base/beneath.h - opening and making files below a directory, through no link and never outside it. */
#ifndef MLR_BASE_BENEATH_H
#define MLR_BASE_BENEATH_H
#include <mlreg.h>
#include <sys/stat.h>

#define MLR_BENEATH_PATH_MAX_BYTES 4096
#define MLR_BENEATH_NAME_MAX_BYTES 255    /* of one component */

/* `path` is relative, '/'-separated, without "", "." or ".." components: EINVAL otherwise. A symbolic link anywhere
 * on the way, the last component included, is EDENIED with a hint. openat2 where the kernel has it, else component
 * by component with O_NOFOLLOW. */
int mlr_beneath_open(int root, const char *path, int flags, unsigned mode, int *fd, mlreg_error **err);
/* What is there, without the making of an error where nothing is: for a thousand blobs that costs more than the looks. 1, 0. */
int mlr_beneath_look(int root, const char *path, struct stat *out, mlreg_error **err);
int mlr_beneath_mkdirs(int root, const char *path, unsigned mode, mlreg_error **err);   /* the directory `path` and its parents */
int mlr_beneath_unlink(int root, const char *path, mlreg_error **err);                  /* missing is no error */
/* Opens the directory that holds `path` (made where missing) and gives the last component, a pointer into `path`. */
int mlr_beneath_parent(int root, const char *path, unsigned mode, int *dir_fd, const char **last, mlreg_error **err);

/* What every call above asks of a path's form, and nothing more: for names that this host made. 0 or EINVAL. */
int mlr_beneath_check_form(const char *path, mlreg_error **err);
/* A path as a stranger wrote it: relative, no empty, "." or ".." component, no backslash, no drive or device name of
 * Windows, no control character, no trailing dot or blank, at most 4,096 bytes and 255 a component, valid UTF-8.
 * 0, or EINVAL that names the path and the rule. */
int mlr_beneath_check_name(const char *path, mlreg_error **err);
#endif
