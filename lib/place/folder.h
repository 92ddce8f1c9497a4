/* place/folder.h - a directory below a top that we trust: what is in it is reached through no link. */
#ifndef MLR_PLACE_FOLDER_H
#define MLR_PLACE_FOLDER_H
#include "base/fs.h"
#include "base/reader.h"

/* The way to the top is the host's and may hold links; below it, none is followed. */
typedef struct mlr_folder {
    int   top;             /* descriptor of the top; borrowed */
    char *below;           /* path from there; "" is the top itself */
    char *path;            /* the whole path: for messages, for making names, for locks */
} mlr_folder;
#define MLR_FOLDER_INIT { -1, NULL, NULL }
int  mlr_folder_init(mlr_folder *f, int top, const char *top_path, const char *below, mlreg_error **err);
void mlr_folder_done(mlr_folder *f);

/* `name` is relative to the folder; "" is the folder itself. Every call that opens says EDENIED to a link on the way. */
char *mlr_folder_path(const mlr_folder *f, const char *name);                                        /* NULL: out of memory */
int  mlr_folder_open(const mlr_folder *f, const char *name, int flags, int *fd, mlreg_error **err);
int  mlr_folder_make(const mlr_folder *f, const char *name, unsigned mode, mlreg_error **err);       /* that directory and its parents, durable; EPROTO: something else is there */
int  mlr_folder_look(const mlr_folder *f, const char *name, struct stat *out, mlreg_error **err);    /* 1: there, of any type but a link; 0 */
int  mlr_folder_reader(const mlr_folder *f, const char *name, bool trusted, mlr_reader **out, mlreg_error **err); /* regular files only */
int  mlr_folder_read(const mlr_folder *f, const char *name, mlr_buf *out, mlreg_error **err);        /* whole; regular files only; ELIMIT past out->max */
int  mlr_folder_list(const mlr_folder *f, const char *name, mlr_dir_list *out, mlreg_error **err);   /* missing: empty. ELIMIT past 10 million */
int  mlr_folder_remove(const mlr_folder *f, const char *name, mlreg_error **err);                    /* missing is no error */
int  mlr_folder_sync(const mlr_folder *f, const char *name, mlreg_error **err);                      /* a directory */
#endif
