/* model/tarlayer.h - one layer as a reproducible tar, made while it is read: no copy of it is anywhere. */
#ifndef MLR_MODEL_TARLAYER_H
#define MLR_MODEL_TARLAYER_H
#include <stdbool.h>
#include "base/reader.h"
#include "codec/archive.h"
#include "codec/digest.h"

/* Members are sorted by name, owned by 0:0 and have one time. A file's bytes begin at a page of the tar where it is the only one in
 * it, and where it is a page long at least: such a layer is mapped and read by range like a raw one. */
typedef struct mlr_tarlayer mlr_tarlayer;
int  mlr_tarlayer_new(int64_t mtime_s, mlr_tarlayer **out, mlreg_error **err);
void mlr_tarlayer_free(mlr_tarlayer *t);       /* NULL is fine; the sources in it are not released */
/* `name`: the path inside, "models/a.bin"; the folders that lead to it are put in as well, but for those that are links in the usual
 * base: "lib" would take the link's place. "" is the root itself, for a folder. Files are noted as they are now: ones that change before they are read are EIO then. */
int  mlr_tarlayer_add_file(mlr_tarlayer *t, const char *name, const char *path, mlreg_error **err);
/* Take `r` over, on failure too. A blob's bytes are checked against its digest while they are read, and known by it. */
int  mlr_tarlayer_add_bytes(mlr_tarlayer *t, const char *name, mlr_reader *r, mlreg_error **err);
int  mlr_tarlayer_add_blob(mlr_tarlayer *t, const char *name, mlr_reader *r, const mlr_digest *digest, unsigned mode, mlreg_error **err);
/* All below a folder as it is: hidden ones too, links as links, empty folders. EINVAL for a FIFO, socket or device. */
int  mlr_tarlayer_add_tree(mlr_tarlayer *t, const char *name, const char *dir, mlr_op *op, mlreg_error **err);

/* Asks of every member, once it is laid out, whether it may be there: 1 leaves it out, which only a folder that was implied may be; a code ends it. */
typedef int (*mlr_tarlayer_ask)(void *user, const mlr_member *m, bool implied, mlreg_error **err);
int  mlr_tarlayer_settle(mlr_tarlayer *t, mlr_tarlayer_ask ask, void *user, mlreg_error **err);
/* After the last: sorts, and lays out. EINVAL where two are the same. */
int  mlr_tarlayer_plan(mlr_tarlayer *t, mlreg_error **err);
uint64_t mlr_tarlayer_bytes(const mlr_tarlayer *t);
/* What tells it from every other: names, modes, time, and each file as the digest memory knows files. false: it cannot be told, for
 * one was too young at `at_ms`, is on a network file system, or is no file. */
bool mlr_tarlayer_key(const mlr_tarlayer *t, int64_t at_ms, mlr_digest *out);
/* The bytes. `t` outlives it, and has one reader at a time. */
int  mlr_tarlayer_open(mlr_tarlayer *t, const char *name, mlr_reader **out, mlreg_error **err);
#endif
