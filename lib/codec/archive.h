/* codec/archive.h - reading tar, tar+gzip and tar+zstd member by member, against bombs; the only room that knows
 * libarchive. */
#ifndef MLR_CODEC_ARCHIVE_H
#define MLR_CODEC_ARCHIVE_H
#include <stdbool.h>
#include "base/reader.h"
#include "codec/sha256.h"

typedef enum mlr_member_kind {
    MLR_MEMBER_FILE, MLR_MEMBER_DIR, MLR_MEMBER_SYMLINK, MLR_MEMBER_HARDLINK, MLR_MEMBER_OTHER
} mlr_member_kind;
typedef struct mlr_member {                    /* its strings live until the next call of next */
    mlr_member_kind kind;
    const char *name;                          /* the bytes as written, a leading "./" and trailing '/' cut ("./" itself
                                                * is "."); not yet checked as a path, or as UTF-8 */
    const char *link;                          /* target of a link, else NULL; of a hard link cut like a name */
    unsigned mode;                             /* permission bits, setuid, setgid and sticky among them */
    uint64_t bytes;                            /* of a file, its holes included; of all else 0 */
    int64_t  mtime_s;
    int64_t  uid, gid;
    bool     is_fifo;                          /* of an OTHER */
} mlr_member;
/* Unpacked; a 0 is the default: 1 TiB, 1,000,000, 1,000 to 1 once 64 MiB are out. */
typedef struct mlr_archive_limits { uint64_t bytes, members, ratio; } mlr_archive_limits;
typedef struct mlr_archive mlr_archive;
bool mlr_archive_available(void);              /* built with libarchive */
/* ENOTSUP without libarchive. The reader must outlive the archive. After a failure, here or below, nothing more can be
 * read: EPROTO broken; ELIMIT bomb; ECANCELLED; what the reader fails with. */
int mlr_archive_open(mlr_reader *r, const mlr_archive_limits *limits, mlr_op *op, mlr_archive **out, mlreg_error **err);
/* The same; `sum` (NULL: none) takes in all that comes out of the compression, up to its end once next has said 0. */
int mlr_archive_open_summed(mlr_reader *r, const mlr_archive_limits *limits, mlr_sha256 *sum, mlr_op *op, mlr_archive **out, mlreg_error **err);
/* From here on what nobody reads of a member is passed over, not read, where nothing is packed and nothing summed: for bytes that are known to be right. */
void mlr_archive_skim(mlr_archive *a);
/* 1; 0 at the end, and all was sound up to the last byte. */
int mlr_archive_next(mlr_archive *a, mlr_member *out, mlreg_error **err);
/* Of the current member, holes as zeros: fewer than `len` only at its end, 0 there. */
int64_t mlr_archive_read(mlr_archive *a, void *buf, size_t len, mlreg_error **err);
void mlr_archive_free(mlr_archive *a);
#endif
