/* place/journal.h - what of a file in the making is there, written down so that another process can go on with it. */
#ifndef MLR_PLACE_JOURNAL_H
#define MLR_PLACE_JOURNAL_H
#include "base/fs.h"
#include "codec/digest.h"

/* Records of one size, each with a sum of its own: what has a wrong byte is no record, and ends the journal. The first says whose it
 * is; then slabs as far as they are there, states of the hash, and at an orderly end what the file looked like. */
#define MLR_JOURNAL_RECORD_BYTES 128

typedef struct mlr_journal_head {
    mlr_digest digest;
    uint64_t   bytes;
    uint64_t   dev, ino;                   /* of the file */
    uint8_t    boot[16];                   /* of the system: zeros where it says nothing */
} mlr_journal_head;
typedef struct mlr_journal_look { uint64_t bytes, mtime_s, mtime_ns, ctime_s, ctime_ns; } mlr_journal_look;
typedef struct mlr_journal_slab { uint64_t sum; uint32_t i, there; } mlr_journal_slab;   /* there: bytes from its start; sum: of those */

/* What a journal says. Slabs and states come in the order of writing. */
typedef struct mlr_journal_said {
    mlr_journal_head head;
    mlr_journal_look look;
    bool      ended;                       /* the last record is a look */
    uint64_t *sums;                        /* of the slabs, … */
    uint32_t *there;                       /* … as far as it has them */
    size_t    n;
} mlr_journal_said;

void mlr_journal_head_of(const mlr_digest *d, uint64_t bytes, const struct stat *file, mlr_journal_head *out);
void mlr_journal_look_of(const struct stat *file, mlr_journal_look *out);

/* Whole records, at *at, which moves on. */
int  mlr_journal_add_head(int fd, uint64_t *at, const mlr_journal_head *h, const char *name, mlreg_error **err);
int  mlr_journal_add_slab(int fd, uint64_t *at, const mlr_journal_slab *s, const char *name, mlreg_error **err);
int  mlr_journal_add_state(int fd, uint64_t *at, const mlr_sha256 *s, const char *name, mlreg_error **err);
int  mlr_journal_add_look(int fd, uint64_t *at, const mlr_journal_look *l, const char *name, mlreg_error **err);

/* 1; 0: it says nothing that could be used. `n` slabs at most. Release with done. */
int  mlr_journal_read(int fd, size_t n, mlr_journal_said *out, const char *name, mlreg_error **err);
void mlr_journal_said_done(mlr_journal_said *said);
/* The last state of at most `bytes`. 1; 0. */
int  mlr_journal_state(int fd, uint64_t bytes, mlr_sha256 *out, const char *name, mlreg_error **err);
#endif
