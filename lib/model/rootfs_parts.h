/* model/rootfs_parts.h - what the files of model/rootfs share. */
#ifndef MLR_MODEL_ROOTFS_PARTS_H
#define MLR_MODEL_ROOTFS_PARTS_H
#include "base/beneath.h"
#include "base/inside.h"
#include "codec/archive.h"
#include "model/rootfs.h"

/* How a layer says that something below it is gone. OCI image-spec 1.1, "Whiteouts". */
#define MLR_WHITEOUT     ".wh."
#define MLR_WHITEOUT_LEN 4u
#define MLR_OPAQUE       ".wh..wh..opq"

/* ---- rootfs_paths.c: names ---- */

typedef struct mlr_rootfs_name { char text[MLR_BENEATH_PATH_MAX_BYTES + 1]; } mlr_rootfs_name;   /* relative; "": the root */
/* A name as a layer or a person writes it: "/" in front, "." and doubled "/" fall away; ".." is EINVAL. */
int  mlr_rootfs_clean(const char *written, mlr_rootfs_name *out, mlreg_error **err);
bool mlr_rootfs_is_below(const char *name, const char *path);       /* or is it itself */
int  mlr_rootfs_order(const char *a, const char *b);                /* as strcmp, but that a path stands right before all that lies below it */

/* ---- rootfs_notes.c: what is kept in mind meanwhile ---- */

/* Folders get owner, mode and time when nothing more goes into them. */
typedef struct mlr_rootfs_note { char *path; uint64_t inode; size_t turn; mlr_inside_marks marks; } mlr_rootfs_note;
typedef struct mlr_rootfs_notes { mlr_rootfs_note *items; size_t n, cap, bytes; } mlr_rootfs_notes;   /* bytes: of all paths */
#define MLR_ROOTFS_NOTES_MAX_BYTES ((size_t)256 << 20)      /* ELIMIT beyond */
int  mlr_rootfs_note_add(mlr_rootfs_notes *s, const char *path, uint64_t inode, const mlr_inside_marks *marks, mlreg_error **err);
int  mlr_rootfs_notes_apply(mlr_rootfs_notes *s, int root, mlreg_error **err);
void mlr_rootfs_notes_done(mlr_rootfs_notes *s);

/* The entries that this layer made: what it removes are only those of the layers below. */
typedef struct mlr_rootfs_own { uint64_t *slots; size_t n, cap; } mlr_rootfs_own;
int  mlr_rootfs_own_put(mlr_rootfs_own *s, uint64_t dir_inode, const char *name, mlreg_error **err);
bool mlr_rootfs_own_has(const mlr_rootfs_own *s, uint64_t dir_inode, const char *name);
void mlr_rootfs_own_done(mlr_rootfs_own *s);

/* ---- rootfs_layer.c: one layer ---- */

typedef struct mlr_rootfs_work {
    int root;
    bool owners;
    mlr_rootfs_name only;              /* "": everything */
    mlr_rootfs_notes notes;
    uint64_t members_left, bytes_left; /* of all layers together */
    mlr_op *op;
} mlr_rootfs_work;
int mlr_rootfs_layer(mlr_rootfs_work *w, mlr_reader *bytes, const mlr_digest *diff_id, mlreg_error **err);

/* ---- rootfs_settle.c and rootfs_take.c: which layers it takes ---- */

/* 1: the layer says alone what is at w->only: a file or link, nothing, or a folder without what earlier layers have in it. */
int mlr_rootfs_settles(const mlr_rootfs_work *w, mlr_reader *bytes, mlreg_error **err);
typedef struct mlr_rootfs_source {
    mlr_place *place;
    const char *repo;
    const mlr_manifest *manifest;
    const mlr_digest *diff_ids;                  /* one for each layer */
    const char *dir;                             /* for messages */
    const char *const *layers; size_t n_layers;  /* as in mlr_rootfs */
    bool foreign;                                /* likewise */
} mlr_rootfs_source;
int mlr_rootfs_take(const mlr_rootfs_source *from, mlr_rootfs_work *w, mlreg_error **err);

/* ---- rootfs_temp.c: where it is unpacked, beside the folder that it becomes ---- */

#define MLR_ROOTFS_TEMP_BYTES 40u
/* An empty folder in `parent`, open and locked until it is closed. What a killed process left there is removed, where locks can be trusted. */
int mlr_rootfs_temp_make(int parent, const char *shown, char name[MLR_ROOTFS_TEMP_BYTES], int *fd, mlreg_error **err);
#endif
