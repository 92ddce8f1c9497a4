/* place/blobdir.h - content by digest in a directory of an OCI layout: blobs/sha256/<hex>. */
#ifndef MLR_PLACE_BLOBDIR_H
#define MLR_PLACE_BLOBDIR_H
#include "base/runtime.h"
#include "codec/digest.h"
#include "place/folder.h"

#define MLR_BLOBDIR "blobs/sha256"
typedef struct mlr_blobname { char text[sizeof(MLR_BLOBDIR) + MLR_DIGEST_HEX + 1]; } mlr_blobname;
/* The one way from a digest to a path; relative to the layout. */
mlr_blobname mlr_blobdir_name(const mlr_digest *d);

/* 1: a regular file of any size; 0: nothing; EPROTO for a FIFO, a device or a directory in its place, EDENIED for a link. */
int  mlr_blobdir_look(const mlr_folder *f, const mlr_digest *d, struct stat *out, mlreg_error **err);
int  mlr_blobdir_has(const mlr_folder *f, const mlr_digest *d, uint64_t bytes, mlreg_error **err);     /* 1: and of that size */
int  mlr_blobdir_open(const mlr_folder *f, const mlr_digest *d, bool trusted, mlr_reader **out, mlreg_error **err);
int  mlr_blobdir_make(const mlr_folder *f, unsigned mode, mlreg_error **err);

/* Reads all of `r` into a new file in the directory `dir`, unreachable as yet, and gives its digest. */
int  mlr_blobdir_receive(mlr_runtime *rt, const char *dir, unsigned mode, mlr_reader *r, mlr_op *op, mlr_temp *out, mlr_digest *got, mlreg_error **err);
/* Gives it its name, durably. One of that size that is there already stays; one of another size gives way. */
int  mlr_blobdir_publish(const mlr_folder *f, const mlr_digest *d, uint64_t bytes, mlr_temp *t, mlreg_error **err);
int  mlr_blobdir_enlist(const mlr_folder *f, const mlr_digest *d, uint64_t bytes, mlr_temp *t, mlreg_error **err);   /* likewise, but the content was synced and the directory will be */
/* Brings a blob from one directory into another: a hard link, or a copy where links are impossible. Not durable before the directory is synced. */
int  mlr_blobdir_link(const mlr_folder *from, const mlr_folder *to, const mlr_digest *d, uint64_t bytes, unsigned mode, mlreg_error **err);
#endif
