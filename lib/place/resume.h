/* place/resume.h - an upload session noted on disk, so that a push that was killed goes on in the next process. */
#ifndef MLR_PLACE_RESUME_H
#define MLR_PLACE_RESUME_H
#include "base/lock.h"
#include "base/reader.h"
#include "codec/digest.h"

/* Noted are where the session goes on (in the user's private folder, mode 0600; a Location at another origin, which may be all that one
 * needs to write there, never) and what was being sent: a file by device, inode, size and times, other content by its digest. How much
 * arrived only the registry can say, and the digest tells in the end whether it said the truth. One process at a time has the notes
 * of an upload; they are worth nothing after a day and are then removed by whoever comes next. */
typedef struct mlr_resume {
    char *path;                  /* NULL: nothing is noted of this one */
    mlr_lock lock;               /* held while the upload is going on */
    uint64_t key;
} mlr_resume;
#define MLR_RESUME_INIT { NULL, MLR_LOCK_INIT, 0 }
/* Never fails: then nothing is noted and *location (mlr_free) is NULL. `origin`, `repo`: of the registry; `digest` may be NULL or "". */
void mlr_resume_open(mlr_resume *s, const char *origin, const char *repo, const mlr_reader *r, const mlr_digest *digest, char **location);
void mlr_resume_note(mlr_resume *s, const char *location);
void mlr_resume_forget(mlr_resume *s);    /* what was noted is of no use (any more); the notes can be used again */
void mlr_resume_done(mlr_resume *s, bool forget);
#endif
