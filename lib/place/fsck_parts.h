/* place/fsck_parts.h - what the rooms of fsck share: the check in progress, lines about problems. */
#ifndef MLR_PLACE_FSCK_PARTS_H
#define MLR_PLACE_FSCK_PARTS_H
#include "place/disk.h"

#define MLR_FSCK_SHARED_MODE 0444         /* of files that repositories share */

typedef struct mlr_check {
    const mlr_disk *disk;
    mlr_op         *op;
    bool            repair;
    mlr_list       *problems;
    mlr_digestmap   sound;                 /* what is in the pool: 1 if the content is right */
} mlr_check;
typedef struct mlr_repo_check {
    mlr_check    *c;
    mlr_repodir   r;
    const mlr_index *index;                /* while it is walked */
    const char   *shown;                   /* what lines begin with */
    mlr_digestmap reported;                /* as missing */
} mlr_repo_check;

/* Adds the line "WHERE: …". */
int  mlr_fsck_report(mlr_check *c, const char *where, mlreg_error **err, const char *format, ...) __attribute__((format(printf, 4, 5)));
bool mlr_fsck_is_fatal(int rc);            /* ends the check, in place of being a problem */
/* After an attempt to mend: 1; 0 if it failed, which is the line's to tell; a fatal failure goes up. Takes *why. */
int  mlr_fsck_managed(int rc, mlreg_error **why, mlreg_error **err);

/* Content: each file read and compared with its name. */
int  mlr_fsck_pool(mlr_check *c, mlreg_error **err);                  /* fills `sound` */
int  mlr_fsck_blobs(mlr_repo_check *k, mlreg_error **err);            /* of a repository: those that the pool does not share */
bool mlr_fsck_is_sound(const mlr_check *c, const mlr_digest *d);      /* the pool has it, and right */
#endif
