/* codec/archive.h - reading tar, tar+gzip and tar+zstd member by member, against bombs; the only room that knows libarchive. */
#ifndef MLR_CODEC_ARCHIVE_H
#define MLR_CODEC_ARCHIVE_H
#include <stdbool.h>
#include "base/reader.h"

typedef enum mlr_member_kind { MLR_MEMBER_FILE, MLR_MEMBER_DIR, MLR_MEMBER_SYMLINK, MLR_MEMBER_HARDLINK, MLR_MEMBER_OTHER } mlr_member_kind;
typedef struct mlr_member {
    mlr_member_kind kind;
    const char *name;                          /* as written, a leading "./" and trailing '/' cut; not yet checked as a path */
    const char *link;                          /* target of a link, else NULL */
    unsigned mode;                             /* permission bits */
    uint64_t bytes;
    int64_t  mtime_s;
} mlr_member;
typedef struct mlr_archive_limits { uint64_t bytes, members, ratio; } mlr_archive_limits;   /* unpacked; 0: 1 TiB, 1,000,000, 1,000 to 1 once 64 MiB are out */
typedef struct mlr_archive mlr_archive;
bool mlr_archive_available(void);              /* built with libarchive */
/* ENOTSUP without libarchive. The reader must outlive the archive. */
int mlr_archive_open(mlr_reader *r, const mlr_archive_limits *limits, mlr_op *op, mlr_archive **out, mlreg_error **err);
int mlr_archive_next(mlr_archive *a, mlr_member *out, mlreg_error **err);                  /* 1; 0 at the end; EPROTO broken; ELIMIT bomb */
int64_t mlr_archive_read(mlr_archive *a, void *buf, size_t len, mlreg_error **err);        /* of the current member; 0: its end */
void mlr_archive_free(mlr_archive *a);
#endif
