/* codec/archive_parts.h - what the files of the room archive share: a tar that is being read. */
#ifndef MLR_CODEC_ARCHIVE_PARTS_H
#define MLR_CODEC_ARCHIVE_PARTS_H
#include <locale.h>
#include "codec/archive_plain.h"

struct archive_entry;

struct mlr_archive {
    const char        *whole;                     /* the reader's name */
    mlr_op            *op;
    mlr_archive_limits limits;                    /* defaults filled in */
    mlr_plain         *plain;
    mlr_sha256        *sum;                       /* of what comes out of `plain`; or NULL */
    struct archive    *tar;
    bool               ended, skims;
    uint64_t           members;
    bool               in_header;
    uint64_t           header_bytes;              /* pulled while in_header */
    locale_t           c_locale, hosts;           /* hosts: what this thread had, while c_locale is in its place */
    int                rc;                        /* the first failure: nothing can be read any more */
    mlreg_error       *cause;                     /* what pull() failed with; libarchive only knows that it did */

    char          *name, *link;                   /* of the current member */
    bool           is_file;
    uint64_t       bytes, at;                     /* its size; what was read of it */
    const uint8_t *block;                         /* its bytes from block_at, borrowed from `tar` */
    size_t         block_bytes;
    uint64_t       block_at;                      /* between `at` and here is a hole */
};

/* Takes over what a header says, to *out and for reading the member: 0, or EPROTO, ELIMIT, ENOMEM for good. */
int mlr_archive_take_member(mlr_archive *a, struct archive_entry *entry, mlr_member *out, mlreg_error **err);
#endif
