/* place/upload_source.h - a blob's bytes as they are sent: hashed on their way unless they are known to be good. */
#ifndef MLR_PLACE_UPLOAD_SOURCE_H
#define MLR_PLACE_UPLOAD_SOURCE_H
#include "base/reader.h"
#include "codec/digest.h"
#include "place/ahead.h"

/* Reads `from` in order, any number of times from the start. With a digest, and where `from` is not trusted, the last
 * bytes are given only if all agree with it: else EDIGEST, so that a wrong blob is never sent to its end. */
typedef struct mlr_upload_source {
    mlr_reader  reader;
    mlr_reader *from;          /* borrowed */
    mlr_digest  want;          /* "": not known */
    mlr_sha256  hash;
    uint64_t    at;            /* read so far, and hashed unless: */
    bool        is_good;       /* nothing need be hashed here: it is known to be `want`, or somebody else finds out what it is */
    const mlr_ahead_file *ahead;   /* who does; or NULL */
    bool        (*is_there)(void *user, const mlr_digest *d);
    void       *user;
    bool        has_asked;
    mlr_digest  found;         /* that `is_there` answered for: the rest is not given, EEXISTS */
} mlr_upload_source;
void mlr_upload_source_init(mlr_upload_source *s, mlr_reader *from, const mlr_digest *want);  /* want NULL: not known */
int  mlr_upload_source_skip(mlr_upload_source *s, uint64_t offset, mlr_op *op, mlreg_error **err);   /* to where the rest is sent from; what must be hashed is */
bool mlr_upload_source_digest(const mlr_upload_source *s, mlr_digest *out);   /* of all; false: not all was read */
/* Of bytes that are hashed elsewhere: once their digest is known and much is still to be sent, `is_there` is asked, once. NULL: not so. */
void mlr_upload_source_ahead(mlr_upload_source *s, const mlr_ahead_file *ahead, bool (*is_there)(void *user, const mlr_digest *d), void *user);
#endif
