/* base/private.h - a directory for what the library notes for itself, one per user, that nobody else can write in. */
#ifndef MLR_BASE_PRIVATE_H
#define MLR_BASE_PRIVATE_H
#include <mlreg.h>
#include <stdbool.h>

/* "$VARIABLE/mlreg/private", else "~/HOME_PART/mlreg/private" ("XDG_CACHE_HOME", ".cache"). NULL: there is none to be had, for the environment names
 * none or memory is out. Nothing is made; mlr_free. */
char *mlr_private_dir(const char *variable, const char *home_part);
/* Makes it, mode 0700, if it is missing: 0 if it is now ours alone; what is another user's, or open to others, is EDENIED. */
int mlr_private_make(const char *dir, mlreg_error **err);
/* A plain file of our own in such a directory, or a code; `create`: made (0600), and the directory too. EDENIED as above. */
int mlr_private_open(const char *dir, const char *name, bool create, int *fd, mlreg_error **err);
#endif
