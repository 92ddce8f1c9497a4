/* model/titles.h - the file paths of one artifact: each safe, and none in the way of another. */
#ifndef MLR_MODEL_TITLES_H
#define MLR_MODEL_TITLES_H
#include <mlreg.h>
#include <stdbool.h>

#define MLR_TITLES_MAX 1000000
#define MLR_TITLES_MAX_BYTES ((size_t)128 << 20)      /* of all names together */
typedef struct mlr_title { char *shown, *folded; bool is_folder; } mlr_title; /* folded: as a file system that ignores case sees it */
typedef struct mlr_titles { mlr_title *items; size_t n, cap, bytes; } mlr_titles;
/* EINVAL for what mlr_beneath_check_name refuses; ELIMIT past MLR_TITLES_MAX or MLR_TITLES_MAX_BYTES. */
int  mlr_titles_add(mlr_titles *t, const char *path, mlreg_error **err);
int  mlr_titles_add_folder(mlr_titles *t, const char *path, mlreg_error **err); /* which may be named again, and have files in it */
/* All of `from` behind those of `t`, or ENOMEM or ELIMIT and both as they were. */
int  mlr_titles_move(mlr_titles *t, mlr_titles *from, mlreg_error **err);
/* Forgets all but the first `n`. A check sorts those that are there: only what was added since can be told from them. */
void mlr_titles_cut(mlr_titles *t, size_t n);
/* After the last one: EINVAL naming two that are the same, differ by case only, or of which one is a file where the
 * other needs a directory. */
int  mlr_titles_check(mlr_titles *t, mlreg_error **err);
void mlr_titles_done(mlr_titles *t);
#endif
