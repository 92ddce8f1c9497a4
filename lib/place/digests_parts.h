/* place/digests_parts.h - what the files of the room digests share: its records. */
#ifndef MLR_PLACE_DIGESTS_PARTS_H
#define MLR_PLACE_DIGESTS_PARTS_H
#include <pthread.h>
#include "place/digests.h"

#define MLR_DIGESTS_MAGIC UINT64_C(0x31474944474c4d) /* "MLGDIG1", in the order of bytes of the machine that wrote it */

typedef struct mlr_digest_record {
    uint64_t magic, device, inode, bytes;
    int64_t mtime_s, ctime_s;
    uint32_t mtime_ns, ctime_ns;
    uint8_t digest[32];
    int64_t kept_ms;
    uint64_t spare;              /* of what was made from files: its length */
    uint64_t check;              /* XXH3 of all before it */
} mlr_digest_record;

struct mlr_digests {
    char *dir;
    pthread_mutex_t lock;        /* guards fd while it is opened */
    int fd;                      /* -1: not open (yet) */
};

/* The record of the very file that `want` describes; then the one that takes the place of what was known of its device and inode. */
bool mlr_digests_look_up(mlr_digests *d, const mlr_digest_record *want, mlr_digest_record *out);
void mlr_digests_put(mlr_digests *d, mlr_digest_record *r, const mlr_digest *digest);
void mlr_digests_void(mlr_digests *d, mlr_digest_record *r);   /* one that is of no file */
void mlr_digests_pack(const mlr_digest *d, uint8_t out[32]);
void mlr_digests_unpack(const uint8_t in[32], mlr_digest *out);
#endif
